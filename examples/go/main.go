// Hello world: a workflow with an activity, a query, an update and a signal, with the official Go SDK.
//
//	cd examples/go
//	go run .
//
// TEMPORAL_ADDRESS says where the server is; localhost:7233 otherwise.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const taskQueue = "hello-go"

var greetings = map[string]string{"English": "Hello", "French": "Bonjour", "Spanish": "Hola"}

func ComposeGreeting(_ context.Context, language, name string) (string, error) {
	return fmt.Sprintf("%s, %s!", greetings[language], name), nil
}

// Greeting greets when it is told to, in a language that can be asked for and changed.
func Greeting(ctx workflow.Context, name string) (string, error) {
	chosen := "English"
	if err := workflow.SetQueryHandler(ctx, "language", func() (string, error) { return chosen, nil }); err != nil {
		return "", err
	}
	setLanguage := func(_ workflow.Context, next string) (string, error) {
		before := chosen
		chosen = next
		return before, nil
	}
	known := func(next string) error {
		if _, spoken := greetings[next]; !spoken {
			return fmt.Errorf("%s is not spoken here", next)
		}
		return nil
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, "setLanguage", setLanguage, workflow.UpdateHandlerOptions{Validator: known}); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "approve").Receive(ctx, nil)
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second})
	var greeting string
	err := workflow.ExecuteActivity(ctx, ComposeGreeting, chosen, name).Get(ctx, &greeting)
	return greeting, err
}

func main() {
	address := os.Getenv("TEMPORAL_ADDRESS")
	if address == "" {
		address = client.DefaultHostPort
	}
	connection, err := client.Dial(client.Options{HostPort: address})
	if err != nil {
		log.Fatalln("no connection:", err)
	}
	defer connection.Close()

	greeter := worker.New(connection, taskQueue, worker.Options{})
	greeter.RegisterWorkflow(Greeting)
	greeter.RegisterActivity(ComposeGreeting)
	if err := greeter.Start(); err != nil {
		log.Fatalln("no worker:", err)
	}
	defer greeter.Stop()

	if err := greet(context.Background(), connection); err != nil {
		log.Fatalln(err)
	}
}

func greet(ctx context.Context, connection client.Client) error {
	run, err := connection.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: taskQueue}, Greeting, "world")
	if err != nil {
		return err
	}

	answer, err := connection.QueryWorkflow(ctx, run.GetID(), run.GetRunID(), "language")
	if err != nil {
		return err
	}
	var language string
	if err := answer.Get(&language); err != nil {
		return err
	}
	fmt.Println("query:", language)

	update, err := connection.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID:   run.GetID(),
		UpdateName:   "setLanguage",
		Args:         []any{"French"},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	if err := update.Get(ctx, &language); err != nil {
		return err
	}
	fmt.Println("update: no longer", language)

	if err := connection.SignalWorkflow(ctx, run.GetID(), run.GetRunID(), "approve", nil); err != nil {
		return err
	}
	var greeting string
	if err := run.Get(ctx, &greeting); err != nil {
		return err
	}
	fmt.Println("result:", greeting)
	return nil
}
