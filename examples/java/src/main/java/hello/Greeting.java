package hello;

import io.temporal.workflow.QueryMethod;
import io.temporal.workflow.SignalMethod;
import io.temporal.workflow.UpdateMethod;
import io.temporal.workflow.UpdateValidatorMethod;
import io.temporal.workflow.WorkflowInterface;
import io.temporal.workflow.WorkflowMethod;

/** Greets when it is told to, in a language that can be asked for and changed. */
@WorkflowInterface
public interface Greeting {
  @WorkflowMethod
  String run(String name);

  @QueryMethod
  String language();

  /** Answers the language before. */
  @UpdateMethod
  String setLanguage(String language);

  @UpdateValidatorMethod(updateName = "setLanguage")
  void knowLanguage(String language);

  @SignalMethod
  void approve();
}
