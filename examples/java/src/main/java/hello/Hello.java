package hello;

import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import java.util.UUID;

/**
 * Hello world: a workflow with an activity, a query, an update and a signal, with the official Java SDK.
 *
 * <pre>
 * cd examples/java
 * mvn -q compile exec:java
 * </pre>
 *
 * TEMPORAL_ADDRESS says where the server is; localhost:7233 otherwise.
 */
public class Hello {
  private static final String TASK_QUEUE = "hello-java";

  public static void main(String[] arguments) {
    String address = System.getenv().getOrDefault("TEMPORAL_ADDRESS", "localhost:7233");
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(
            WorkflowServiceStubsOptions.newBuilder().setTarget(address).build());
    WorkflowClient client = WorkflowClient.newInstance(service);

    WorkerFactory factory = WorkerFactory.newInstance(client);
    Worker worker = factory.newWorker(TASK_QUEUE);
    worker.registerWorkflowImplementationTypes(GreetingWorkflow.class);
    worker.registerActivitiesImplementations(new Greeter.Polite());
    factory.start();
    try {
      greet(client);
    } finally {
      factory.shutdownNow();
      service.shutdownNow();
    }
  }

  private static void greet(WorkflowClient client) {
    Greeting greeting =
        client.newWorkflowStub(
            Greeting.class,
            WorkflowOptions.newBuilder()
                .setWorkflowId("hello-" + UUID.randomUUID())
                .setTaskQueue(TASK_QUEUE)
                .build());
    WorkflowClient.start(greeting::run, "world");
    System.out.println("query: " + greeting.language());
    System.out.println("update: no longer " + greeting.setLanguage("French"));
    greeting.approve();
    System.out.println("result: " + WorkflowStub.fromTyped(greeting).getResult(String.class));
  }
}
