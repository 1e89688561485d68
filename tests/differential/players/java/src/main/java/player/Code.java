package player;

import io.temporal.activity.ActivityCancellationType;
import io.temporal.activity.ActivityOptions;
import io.temporal.activity.LocalActivityOptions;
import io.temporal.common.RetryOptions;
import io.temporal.common.SearchAttributeKey;
import io.temporal.failure.ActivityFailure;
import io.temporal.failure.ApplicationFailure;
import io.temporal.failure.CanceledFailure;
import io.temporal.failure.ChildWorkflowFailure;
import io.temporal.workflow.Async;
import io.temporal.workflow.CancellationScope;
import io.temporal.workflow.ChildWorkflowOptions;
import io.temporal.workflow.Promise;
import io.temporal.workflow.Workflow;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;

/** The workflows of `tests.differential.scenarios.languages` in Java. */
final class Code {
  static final Class<?>[] ALL = {
    Sequence.class, FanOut.class, Retries.class, Refused.class, Timers.class, Patience.class, Signals.class, Queries.class, Scope.class,
    Cancelled.class, ContinueAsNew.class, LocalActivities.class, SideEffect.class, Patched.class, Leaf.class, Child.class, ChildFails.class,
    Receiver.class, ExternalSignal.class, Updates.class, Memo.class, SearchAttributes.class, Heartbeat.class, Saga.class, Failing.class,
  };

  private static final Duration SOON = Duration.ofMillis(10);
  private static final Duration LATE = Duration.ofHours(1);
  private static final RetryOptions RETRY = RetryOptions.newBuilder().setInitialInterval(SOON).setBackoffCoefficient(1).setMaximumAttempts(5).build();
  private static final SearchAttributeKey<String> COLOUR = SearchAttributeKey.forKeyword("Colour");

  private Code() {}

  private static ActivityOptions.Builder plain() {
    return ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(10));
  }

  private static Activities activities() {
    return Workflow.newActivityStub(Activities.class, plain().build());
  }

  private static ChildWorkflowOptions asChild() {
    return ChildWorkflowOptions.newBuilder().setWorkflowId(Workflow.getInfo().getWorkflowId() + "-child").build();
  }

  public static class Sequence implements Workflows.Sequence {
    @Override
    public String run() {
      Activities activities = activities();
      return activities.echo("a") + activities.echo("b") + activities.echo("c");
    }
  }

  public static class FanOut implements Workflows.FanOut {
    @Override
    public String run() {
      List<Promise<String>> promises = new ArrayList<>();
      for (String text : List.of("0", "1", "2", "3", "4")) {
        promises.add(Async.function(activities()::echo, text));
      }
      StringBuilder all = new StringBuilder();
      promises.forEach(promise -> all.append(promise.get()));
      return all.toString();
    }
  }

  public static class Retries implements Workflows.Retries {
    @Override
    public String run() {
      return Workflow.newActivityStub(Activities.class, plain().setRetryOptions(RETRY).build()).flaky("there");
    }
  }

  public static class Refused implements Workflows.Refused {
    @Override
    public String run() {
      try {
        return activities().refuse("no");
      } catch (ActivityFailure failure) {
        return "refused: " + ((ApplicationFailure) failure.getCause()).getOriginalMessage();
      }
    }
  }

  public static class Timers implements Workflows.Timers {
    @Override
    public String run() {
      CancellationScope scope = Workflow.newCancellationScope(() -> Workflow.newTimer(LATE));
      scope.run();
      Workflow.sleep(SOON);
      scope.cancel();
      Workflow.sleep(SOON);
      return "done";
    }
  }

  public static class Patience implements Workflows.Patience {
    private boolean told = false;

    @Override
    public void go() {
      told = true;
    }

    @Override
    public String run() {
      if (!Workflow.await(SOON, () -> false)) {
        Workflow.await(LATE, () -> told);
      }
      return activities().echo("in time");
    }
  }

  public static class Signals implements Workflows.Signals {
    private final List<String> words = new ArrayList<>();

    @Override
    public void add(String word) {
      words.add(word);
    }

    @Override
    public String run() {
      Workflow.await(() -> words.size() == 3);
      return String.join(" ", words);
    }
  }

  public static class Queries implements Workflows.Queries {
    private String step = "started";

    @Override
    public String state() {
      return step;
    }

    @Override
    public void finish() {
      step = "finished";
    }

    @Override
    public String run() {
      Workflow.await(() -> step.equals("finished"));
      return step;
    }
  }

  public static class Scope implements Workflows.Scope {
    private boolean stopped = false;
    private Promise<String> hanging;

    @Override
    public void stop() {
      stopped = true;
    }

    @Override
    public String run() {
      Activities patient =
          Workflow.newActivityStub(
              Activities.class,
              ActivityOptions.newBuilder()
                  .setStartToCloseTimeout(Duration.ofSeconds(60))
                  .setHeartbeatTimeout(Duration.ofSeconds(20))
                  .setCancellationType(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
                  .build());
      CancellationScope scope = Workflow.newCancellationScope(() -> hanging = Async.function(patient::hang));
      scope.run();
      Workflow.await(() -> stopped);
      scope.cancel();
      try {
        return hanging.get();
      } catch (ActivityFailure failure) {
        return activities().echo("cleaned");
      }
    }
  }

  public static class Cancelled implements Workflows.Cancelled {
    @Override
    public String run() {
      try {
        Workflow.sleep(LATE);
      } catch (CanceledFailure cancelled) {
        Workflow.newDetachedCancellationScope(() -> activities().echo("cleaned")).run();
        throw cancelled;
      }
      return "late";
    }
  }

  public static class ContinueAsNew implements Workflows.ContinueAsNew {
    @Override
    public String run(int left) {
      if (left > 0) {
        Workflow.continueAsNew(left - 1);
      }
      return "done";
    }
  }

  public static class LocalActivities implements Workflows.LocalActivities {
    @Override
    public String run() {
      LocalActivityOptions options = LocalActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(10)).build();
      Activities local = Workflow.newLocalActivityStub(Activities.class, options);
      return local.echo("a") + local.echo("b");
    }
  }

  public static class SideEffect implements Workflows.SideEffect {
    @Override
    public String run() {
      return activities().echo(Workflow.sideEffect(String.class, () -> "seven"));
    }
  }

  public static class Patched implements Workflows.Patched {
    @Override
    public String run() {
      return activities().echo(Workflow.getVersion("change", Workflow.DEFAULT_VERSION, 1) == 1 ? "new" : "old");
    }
  }

  public static class Leaf implements Workflows.Leaf {
    @Override
    public String run(String text) {
      return "leaf " + text;
    }
  }

  public static class Child implements Workflows.Child {
    @Override
    public String run() {
      return Workflow.newChildWorkflowStub(Workflows.Leaf.class, asChild()).run("green");
    }
  }

  public static class ChildFails implements Workflows.ChildFails {
    @Override
    public String run() {
      try {
        return Workflow.newChildWorkflowStub(Workflows.Failing.class, asChild()).run();
      } catch (ChildWorkflowFailure failure) {
        return "child failed: " + ((ApplicationFailure) failure.getCause()).getOriginalMessage();
      }
    }
  }

  public static class Receiver implements Workflows.Receiver {
    private String received = "";

    @Override
    public void add(String word) {
      received = word;
    }

    @Override
    public String run() {
      Workflow.await(() -> !received.isEmpty());
      return received;
    }
  }

  public static class ExternalSignal implements Workflows.ExternalSignal {
    @Override
    public String run(String target) {
      Workflow.newUntypedExternalWorkflowStub(target).signal("add", "from outside");
      return "sent";
    }
  }

  public static class Updates implements Workflows.Updates {
    private final List<String> words = new ArrayList<>();
    private boolean finished = false;

    @Override
    public String append(String word) {
      words.add(activities().echo(word));
      return String.join(" ", words);
    }

    @Override
    public void check(String word) {
      if (word.isEmpty()) {
        throw ApplicationFailure.newFailure("empty", "Empty");
      }
    }

    @Override
    public void finish() {
      finished = true;
    }

    @Override
    public String run() {
      Workflow.await(() -> finished);
      return String.join(" ", words);
    }
  }

  public static class Memo implements Workflows.Memo {
    @Override
    public String run() {
      Workflow.upsertMemo(Map.of("step", "one"));
      return activities().echo((String) Workflow.getMemo("note", String.class));
    }
  }

  public static class SearchAttributes implements Workflows.SearchAttributes {
    @Override
    public String run() {
      Workflow.upsertTypedSearchAttributes(COLOUR.valueSet("blue"));
      return activities().echo("blue");
    }
  }

  public static class Heartbeat implements Workflows.Heartbeat {
    @Override
    public String run() {
      ActivityOptions options = plain().setRetryOptions(RETRY).setHeartbeatTimeout(Duration.ofSeconds(20)).build();
      return Workflow.newActivityStub(Activities.class, options).beat();
    }
  }

  public static class Saga implements Workflows.Saga {
    @Override
    public String run() {
      Activities activities = activities();
      Deque<String> done = new ArrayDeque<>();
      try {
        done.push(activities.echo("hotel"));
        done.push(activities.echo("flight"));
        return activities.refuse("car");
      } catch (ActivityFailure failure) {
        done.forEach(step -> activities.echo("no " + step));
        throw ApplicationFailure.newNonRetryableFailure("no trip", "Saga");
      }
    }
  }

  public static class Failing implements Workflows.Failing {
    @Override
    public String run() {
      throw ApplicationFailure.newNonRetryableFailure("broken", "Broken");
    }
  }
}
