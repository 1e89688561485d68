// The workflows of `tests.differential.scenarios.languages` in Go.
package main

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

const (
	soon = 10 * time.Millisecond
	late = time.Hour
)

var colour = temporal.NewSearchAttributeKeyKeyword("Colour")

// Every workflow, under its name.
var workflows = map[string]any{
	"Sequence": sequence, "FanOut": fanOut, "Retries": retries, "Refused": refused, "Timers": timers, "Patience": patience,
	"Signals": signals, "Queries": queries, "Scope": scope, "Cancelled": cancelled, "ContinueAsNew": continueAsNew,
	"LocalActivities": localActivities, "SideEffect": sideEffect, "Patched": patched, "Leaf": leaf, "Child": child,
	"ChildFails": childFails, "Receiver": receiver, "ExternalSignal": externalSignal, "Updates": updates, "Memo": memo,
	"SearchAttributes": searchAttributes, "Heartbeat": heartbeat, "Saga": saga, "Failing": failing,
}

func plain(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
}

func retrying(ctx workflow.Context, heartbeat time.Duration) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		HeartbeatTimeout:    heartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: soon, BackoffCoefficient: 1, MaximumAttempts: 5},
	})
}

func do(ctx workflow.Context, name string, arguments ...any) (string, error) {
	var answer string
	err := workflow.ExecuteActivity(ctx, name, arguments...).Get(ctx, &answer)
	return answer, err
}

func said(err error) string {
	var failure *temporal.ApplicationError
	if errors.As(err, &failure) {
		return failure.Message()
	}
	return err.Error()
}

func sequence(ctx workflow.Context) (string, error) {
	all := ""
	for _, text := range []string{"a", "b", "c"} {
		answer, err := do(plain(ctx), "echo", text)
		if err != nil {
			return "", err
		}
		all += answer
	}
	return all, nil
}

func fanOut(ctx workflow.Context) (string, error) {
	var futures []workflow.Future
	for _, text := range []string{"0", "1", "2", "3", "4"} {
		futures = append(futures, workflow.ExecuteActivity(plain(ctx), "echo", text))
	}
	all := ""
	for _, future := range futures {
		var answer string
		if err := future.Get(ctx, &answer); err != nil {
			return "", err
		}
		all += answer
	}
	return all, nil
}

func retries(ctx workflow.Context) (string, error) {
	return do(retrying(ctx, 0), "flaky", "there")
}

func refused(ctx workflow.Context) (string, error) {
	answer, err := do(plain(ctx), "refuse", "no")
	if err != nil {
		return "refused: " + said(err), nil
	}
	return answer, nil
}

func timers(ctx workflow.Context) (string, error) {
	scope, cancel := workflow.WithCancel(ctx)
	_ = workflow.NewTimer(scope, late)
	if err := workflow.Sleep(ctx, soon); err != nil {
		return "", err
	}
	cancel()
	if err := workflow.Sleep(ctx, soon); err != nil {
		return "", err
	}
	return "done", nil
}

func patience(ctx workflow.Context) (string, error) {
	told := false
	workflow.Go(ctx, func(ctx workflow.Context) {
		workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
		told = true
	})
	inTime, err := workflow.AwaitWithTimeout(ctx, soon, func() bool { return false })
	if err == nil && !inTime {
		_, err = workflow.AwaitWithTimeout(ctx, late, func() bool { return told })
	}
	if err != nil {
		return "", err
	}
	return do(plain(ctx), "echo", "in time")
}

func signals(ctx workflow.Context) (string, error) {
	var words []string
	for len(words) < 3 {
		var word string
		workflow.GetSignalChannel(ctx, "add").Receive(ctx, &word)
		words = append(words, word)
	}
	return strings.Join(words, " "), nil
}

func queries(ctx workflow.Context) (string, error) {
	step := "started"
	if err := workflow.SetQueryHandler(ctx, "state", func() (string, error) { return step, nil }); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "finish").Receive(ctx, nil)
	step = "finished"
	return step, nil
}

func scope(ctx workflow.Context) (string, error) {
	inner, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 60 * time.Second,
		HeartbeatTimeout:    20 * time.Second,
		WaitForCancellation: true,
	}))
	hanging := workflow.ExecuteActivity(inner, "hang")
	workflow.GetSignalChannel(ctx, "stop").Receive(ctx, nil)
	cancel()
	var answer string
	if err := hanging.Get(ctx, &answer); temporal.IsCanceledError(err) {
		return do(plain(ctx), "echo", "cleaned")
	} else {
		return answer, err
	}
}

func cancelled(ctx workflow.Context) (string, error) {
	err := workflow.Sleep(ctx, late)
	if temporal.IsCanceledError(err) {
		detached, _ := workflow.NewDisconnectedContext(ctx)
		if _, failed := do(plain(detached), "echo", "cleaned"); failed != nil {
			return "", failed
		}
	}
	return "late", err
}

func continueAsNew(ctx workflow.Context, left int) (string, error) {
	if left > 0 {
		return "", workflow.NewContinueAsNewError(ctx, "ContinueAsNew", left-1)
	}
	return "done", nil
}

func localActivities(ctx workflow.Context) (string, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 10 * time.Second})
	all := ""
	for _, text := range []string{"a", "b"} {
		var answer string
		if err := workflow.ExecuteLocalActivity(ctx, "echo", text).Get(ctx, &answer); err != nil {
			return "", err
		}
		all += answer
	}
	return all, nil
}

func sideEffect(ctx workflow.Context) (string, error) {
	var number string
	if err := workflow.SideEffect(ctx, func(workflow.Context) any { return "seven" }).Get(&number); err != nil {
		return "", err
	}
	return do(plain(ctx), "echo", number)
}

func patched(ctx workflow.Context) (string, error) {
	way := "old"
	if workflow.GetVersion(ctx, "change", workflow.DefaultVersion, 1) == 1 {
		way = "new"
	}
	return do(plain(ctx), "echo", way)
}

func leaf(_ workflow.Context, text string) (string, error) {
	return "leaf " + text, nil
}

func asChild(ctx workflow.Context) workflow.Context {
	id := workflow.GetInfo(ctx).WorkflowExecution.ID + "-child"
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: id})
}

func child(ctx workflow.Context) (string, error) {
	var answer string
	err := workflow.ExecuteChildWorkflow(asChild(ctx), "Leaf", "green").Get(ctx, &answer)
	return answer, err
}

func childFails(ctx workflow.Context) (string, error) {
	var answer string
	if err := workflow.ExecuteChildWorkflow(asChild(ctx), "Failing").Get(ctx, &answer); err != nil {
		return "child failed: " + said(err), nil
	}
	return answer, nil
}

func receiver(ctx workflow.Context) (string, error) {
	var word string
	workflow.GetSignalChannel(ctx, "add").Receive(ctx, &word)
	return word, nil
}

func externalSignal(ctx workflow.Context, target string) (string, error) {
	err := workflow.SignalExternalWorkflow(ctx, target, "", "add", "from outside").Get(ctx, nil)
	return "sent", err
}

func updates(ctx workflow.Context) (string, error) {
	var words []string
	add := func(ctx workflow.Context, word string) (string, error) {
		answer, err := do(plain(ctx), "echo", word)
		words = append(words, answer)
		return strings.Join(words, " "), err
	}
	check := func(word string) error {
		if word == "" {
			return temporal.NewApplicationError("empty", "Empty")
		}
		return nil
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, "append", add, workflow.UpdateHandlerOptions{Validator: check}); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "finish").Receive(ctx, nil)
	return strings.Join(words, " "), nil
}

func memo(ctx workflow.Context) (string, error) {
	if err := workflow.UpsertMemo(ctx, map[string]any{"step": "one"}); err != nil {
		return "", err
	}
	note, err := workflowMemo(ctx, "note")
	if err != nil {
		return "", err
	}
	return do(plain(ctx), "echo", note)
}

func searchAttributes(ctx workflow.Context) (string, error) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, colour.ValueSet("blue")); err != nil {
		return "", err
	}
	return do(plain(ctx), "echo", "blue")
}

func heartbeat(ctx workflow.Context) (string, error) {
	return do(retrying(ctx, 20*time.Second), "beat")
}

func saga(ctx workflow.Context) (string, error) {
	var done []string
	for _, step := range []string{"hotel", "flight"} {
		answer, err := do(plain(ctx), "echo", step)
		if err != nil {
			return "", err
		}
		done = append(done, answer)
	}
	answer, err := do(plain(ctx), "refuse", "car")
	if err == nil {
		return answer, nil
	}
	for step := len(done) - 1; step >= 0; step-- {
		if _, err := do(plain(ctx), "echo", "no "+done[step]); err != nil {
			return "", err
		}
	}
	return "", temporal.NewNonRetryableApplicationError("no trip", "Saga", nil)
}

func failing(_ workflow.Context) (string, error) {
	return "", temporal.NewNonRetryableApplicationError("broken", "Broken", nil)
}
