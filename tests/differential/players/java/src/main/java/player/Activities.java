package player;

import io.temporal.activity.Activity;
import io.temporal.activity.ActivityExecutionContext;
import io.temporal.activity.ActivityInterface;
import io.temporal.activity.ActivityMethod;
import io.temporal.failure.ApplicationFailure;

@ActivityInterface
public interface Activities {
  @ActivityMethod(name = "echo")
  String echo(String text);

  @ActivityMethod(name = "flaky")
  String flaky(String text);

  @ActivityMethod(name = "refuse")
  String refuse(String text);

  @ActivityMethod(name = "beat")
  String beat();

  @ActivityMethod(name = "hang")
  String hang();

  class Done implements Activities {
    @Override
    public String echo(String text) {
      return text;
    }

    @Override
    public String flaky(String text) {
      int attempt = Activity.getExecutionContext().getInfo().getAttempt();
      if (attempt < 3) {
        throw ApplicationFailure.newFailure("attempt " + attempt, "Flaky");
      }
      return text + " at attempt " + attempt;
    }

    @Override
    public String refuse(String text) {
      throw ApplicationFailure.newNonRetryableFailure(text, "Refused");
    }

    @Override
    public String beat() {
      ActivityExecutionContext context = Activity.getExecutionContext();
      if (context.getInfo().getAttempt() > 1) {
        return context.getHeartbeatDetails(String.class).orElse("nothing");
      }
      context.heartbeat("half");
      throw ApplicationFailure.newFailure("the other half", "Half");
    }

    @Override
    public String hang() {
      while (true) {
        Activity.getExecutionContext().heartbeat(null);
        try {
          Thread.sleep(50);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw Activity.wrap(interrupted);
        }
      }
    }
  }
}
