// A worker with the workflows of `tests.differential.scenarios.languages` in Go, and a client that does as it is told.
//
// One line of JSON on standard input is one thing to do, one line on standard output its answer: `tests/differential/player.py` is the other end.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const lineBytesMax = 64 << 20

type asked struct {
	N       int            `json:"n"`
	Do      string         `json:"do"`
	ID      string         `json:"id"`
	Type    string         `json:"type"`
	Name    string         `json:"name"`
	Args    []any          `json:"args"`
	Memo    map[string]any `json:"memo"`
	History string         `json:"history"`
}

type answer struct {
	N     int    `json:"n"`
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
}

func workflowMemo(ctx workflow.Context, key string) (string, error) {
	var value string
	err := converter.GetDefaultDataConverter().FromPayload(workflow.GetInfo(ctx).Memo.Fields[key], &value)
	return value, err
}

func carryOut(ctx context.Context, connection client.Client, queue string, asked asked) (value any, err error) {
	switch asked.Do {
	case "start":
		options := client.StartWorkflowOptions{ID: asked.ID, TaskQueue: queue, Memo: asked.Memo}
		_, err = connection.ExecuteWorkflow(ctx, options, asked.Type, asked.Args...)
	case "result":
		err = connection.GetWorkflow(ctx, asked.ID, "").Get(ctx, &value)
	case "signal":
		var argument any
		if len(asked.Args) > 0 {
			argument = asked.Args[0]
		}
		err = connection.SignalWorkflow(ctx, asked.ID, "", asked.Name, argument)
	case "query":
		var encoded converter.EncodedValue
		if encoded, err = connection.QueryWorkflow(ctx, asked.ID, "", asked.Name, asked.Args...); err == nil {
			err = encoded.Get(&value)
		}
	case "update":
		options := client.UpdateWorkflowOptions{WorkflowID: asked.ID, UpdateName: asked.Name, Args: asked.Args, WaitForStage: client.WorkflowUpdateStageCompleted}
		var handle client.WorkflowUpdateHandle
		if handle, err = connection.UpdateWorkflow(ctx, options); err == nil {
			err = handle.Get(ctx, &value)
		}
	case "cancel":
		err = connection.CancelWorkflow(ctx, asked.ID, "")
	case "replay":
		err = replay(asked.ID, asked.History)
	default:
		err = fmt.Errorf("unknown: %s", asked.Do)
	}
	return value, err
}

func replay(id, text string) error {
	history, err := client.HistoryFromJSON(strings.NewReader(text), client.HistoryJSONOptions{})
	if err != nil {
		return err
	}
	replayer := worker.NewWorkflowReplayer()
	for name, function := range workflows {
		replayer.RegisterWorkflowWithOptions(function, workflow.RegisterOptions{Name: name})
	}
	options := worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: id}}
	return replayer.ReplayWorkflowHistoryWithOptions(quiet(), history, options)
}

// The last word of a chain of failures.
func told(err error) string {
	var failure *temporal.ApplicationError
	var refused serviceerror.ServiceError
	switch {
	case errors.As(err, &failure):
		return failure.Message()
	case errors.As(err, &refused):
		return refused.Error()
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err.Error()
}

func quiet() log.Logger {
	return log.NewStructuredLogger(slog.New(slog.DiscardHandler))
}

func newWorker(connection client.Client, queue string) worker.Worker {
	made := worker.New(connection, queue, worker.Options{Identity: "worker", MaxHeartbeatThrottleInterval: 100 * time.Millisecond})
	for name, function := range workflows {
		made.RegisterWorkflowWithOptions(function, workflow.RegisterOptions{Name: name})
	}
	for name, function := range map[string]any{"echo": echo, "flaky": flaky, "refuse": refuse, "beat": beat, "hang": hang} {
		made.RegisterActivityWithOptions(function, activity.RegisterOptions{Name: name})
	}
	return made
}

func run(address, queue string) error {
	connection, err := client.Dial(client.Options{HostPort: address, Identity: "client", Logger: quiet(), WorkerHeartbeatInterval: -1})
	if err != nil {
		return err
	}
	defer connection.Close()
	worker := newWorker(connection, queue)
	if err := worker.Start(); err != nil {
		return err
	}
	defer worker.Stop()

	var output sync.Mutex
	var answering sync.WaitGroup
	defer answering.Wait()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, lineBytesMax)
	for lines.Scan() {
		var next asked
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			return err
		}
		answering.Go(func() {
			said := answer{N: next.N}
			value, err := carryOut(context.Background(), connection, queue, next)
			if err != nil {
				said.Error = told(err)
			} else {
				said.Value = value
			}
			output.Lock()
			defer output.Unlock()
			_ = json.NewEncoder(os.Stdout).Encode(said)
		})
	}
	return lines.Err()
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
