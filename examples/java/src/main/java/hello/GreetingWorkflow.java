package hello;

import io.temporal.activity.ActivityOptions;
import io.temporal.workflow.Workflow;
import java.time.Duration;

public class GreetingWorkflow implements Greeting {
  private final Greeter greeter =
      Workflow.newActivityStub(
          Greeter.class,
          ActivityOptions.newBuilder().setStartToCloseTimeout(Duration.ofSeconds(10)).build());
  private String chosen = "English";
  private boolean approved = false;

  @Override
  public String run(String name) {
    Workflow.await(() -> approved);
    return greeter.composeGreeting(chosen, name);
  }

  @Override
  public String language() {
    return chosen;
  }

  @Override
  public String setLanguage(String language) {
    String before = chosen;
    chosen = language;
    return before;
  }

  @Override
  public void knowLanguage(String language) {
    if (!Greeter.GREETINGS.containsKey(language)) {
      throw new IllegalArgumentException(language + " is not spoken here");
    }
  }

  @Override
  public void approve() {
    approved = true;
  }
}
