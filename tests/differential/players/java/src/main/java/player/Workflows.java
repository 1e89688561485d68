package player;

import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;

/** The workflows of `tests.differential.scenarios.languages`: what they are called and what they take. */
final class Workflows {
  private Workflows() {}

  @WorkflowInterface
  public interface Sequence {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface FanOut {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Retries {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Refused {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Timers {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Patience {
    @WorkflowMethod
    String run();

    @SignalMethod
    void go();
  }

  @WorkflowInterface
  public interface Signals {
    @WorkflowMethod
    String run();

    @SignalMethod
    void add(String word);
  }

  @WorkflowInterface
  public interface Queries {
    @WorkflowMethod
    String run();

    @QueryMethod
    String state();

    @SignalMethod
    void finish();
  }

  @WorkflowInterface
  public interface Scope {
    @WorkflowMethod
    String run();

    @SignalMethod
    void stop();
  }

  @WorkflowInterface
  public interface Cancelled {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface ContinueAsNew {
    @WorkflowMethod
    String run(int left);
  }

  @WorkflowInterface
  public interface LocalActivities {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface SideEffect {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Patched {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Leaf {
    @WorkflowMethod
    String run(String text);
  }

  @WorkflowInterface
  public interface Child {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface ChildFails {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Receiver {
    @WorkflowMethod
    String run();

    @SignalMethod
    void add(String word);
  }

  @WorkflowInterface
  public interface ExternalSignal {
    @WorkflowMethod
    String run(String target);
  }

  @WorkflowInterface
  public interface Updates {
    @WorkflowMethod
    String run();

    @UpdateMethod
    String append(String word);

    @UpdateValidatorMethod(updateName = "append")
    void check(String word);

    @SignalMethod
    void finish();
  }

  @WorkflowInterface
  public interface Memo {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface SearchAttributes {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Heartbeat {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Saga {
    @WorkflowMethod
    String run();
  }

  @WorkflowInterface
  public interface Failing {
    @WorkflowMethod
    String run();
  }
}
