package hello;

import io.temporal.activity.ActivityInterface;
import java.util.Map;

/** The activity. */
@ActivityInterface
public interface Greeter {
  Map<String, String> GREETINGS = Map.of("English", "Hello", "French", "Bonjour", "Spanish", "Hola");

  String composeGreeting(String language, String name);

  class Polite implements Greeter {
    @Override
    public String composeGreeting(String language, String name) {
      return GREETINGS.get(language) + ", " + name + "!";
    }
  }
}
