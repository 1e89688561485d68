package player;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.temporal.client.WorkflowClient;
import io.temporal.client.WorkflowClientOptions;
import io.temporal.client.WorkflowOptions;
import io.temporal.client.WorkflowStub;
import io.temporal.common.WorkflowExecutionHistory;
import io.temporal.failure.ApplicationFailure;
import io.temporal.serviceclient.WorkflowServiceStubs;
import io.temporal.serviceclient.WorkflowServiceStubsOptions;
import io.temporal.testing.WorkflowReplayer;
import io.temporal.worker.Worker;
import io.temporal.worker.WorkerFactory;
import io.temporal.worker.WorkerFactoryOptions;
import io.temporal.worker.WorkerOptions;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A worker with the workflows of `tests.differential.scenarios.languages` in Java, and a client that does as it is told.
 *
 * <p>One line of JSON on standard input is one thing to do, one line on standard output its answer: `tests/differential/player.py` is the
 * other end.
 */
public final class Player {
  private static final ObjectMapper JSON = new ObjectMapper().configure(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES, false);

  /** One thing to do. */
  record Asked(
      int n,
      @JsonProperty("do") String what,
      String id,
      String type,
      String name,
      List<Object> args,
      Map<String, Object> memo,
      String history) {
    Object[] arguments() {
      return args == null ? new Object[0] : args.toArray();
    }
  }

  private final WorkflowClient client;
  private final String queue;
  private final PrintStream output;

  private Player(WorkflowClient client, String queue, PrintStream output) {
    this.client = client;
    this.queue = queue;
    this.output = output;
  }

  public static void main(String[] arguments) throws Exception {
    WorkflowServiceStubs service =
        WorkflowServiceStubs.newServiceStubs(WorkflowServiceStubsOptions.newBuilder().setTarget(arguments[0]).build());
    WorkflowClient client = WorkflowClient.newInstance(service, WorkflowClientOptions.newBuilder().setIdentity("client").build());
    WorkerFactory factory = WorkerFactory.newInstance(client, WorkerFactoryOptions.newBuilder().build());
    WorkerOptions options =
        WorkerOptions.newBuilder().setIdentity("worker").setMaxHeartbeatThrottleInterval(Duration.ofMillis(100)).build();
    Worker worker = factory.newWorker(arguments[1], options);
    worker.registerWorkflowImplementationTypes(Code.ALL);
    worker.registerActivitiesImplementations(new Activities.Done());
    factory.start();
    new Player(client, arguments[1], System.out).serve();
    factory.shutdownNow();
    service.shutdownNow();
  }

  private void serve() throws IOException, InterruptedException {
    ExecutorService answering = Executors.newCachedThreadPool();
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      Asked asked = JSON.readValue(line, Asked.class);
      answering.execute(() -> answer(asked));
    }
    answering.shutdown();
    answering.awaitTermination(10, TimeUnit.SECONDS);
  }

  private void answer(Asked asked) {
    Map<String, Object> said = new HashMap<>();
    said.put("n", asked.n());
    try {
      said.put("value", carryOut(asked));
    } catch (Throwable error) {
      said.put("error", told(error));
    }
    try {
      String line = JSON.writeValueAsString(said);
      synchronized (output) {
        output.println(line);
      }
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private Object carryOut(Asked asked) throws Exception {
    WorkflowStub stub = client.newUntypedWorkflowStub(asked.id());
    switch (asked.what()) {
      case "start":
        start(asked);
        return null;
      case "result":
        return stub.getResult(Object.class);
      case "signal":
        stub.signal(asked.name(), asked.arguments());
        return null;
      case "query":
        return stub.query(asked.name(), Object.class, asked.arguments());
      case "update":
        return stub.update(asked.name(), Object.class, asked.arguments());
      case "cancel":
        stub.cancel();
        return null;
      case "replay":
        WorkflowReplayer.replayWorkflowExecution(WorkflowExecutionHistory.fromJson(asked.history()), Code.ALL[0], rest());
        return null;
      default:
        throw new IllegalArgumentException(asked.what());
    }
  }

  private static Class<?>[] rest() {
    return java.util.Arrays.copyOfRange(Code.ALL, 1, Code.ALL.length);
  }

  private void start(Asked asked) {
    WorkflowOptions.Builder options = WorkflowOptions.newBuilder().setWorkflowId(asked.id()).setTaskQueue(queue);
    if (asked.memo() != null) {
      options.setMemo(asked.memo());
    }
    client.newUntypedWorkflowStub(asked.type(), options.build()).start(asked.arguments());
  }

  /** The last word of a chain of failures. */
  private static String told(Throwable error) {
    Throwable last = error;
    while (last.getCause() != null && last.getCause() != last && last.getClass().getName().startsWith("io.temporal")) {
      last = last.getCause();
    }
    return last instanceof ApplicationFailure failure ? failure.getOriginalMessage() : String.valueOf(last.getMessage());
  }
}
