package ai.buildscale.agents.platform;

import io.smallrye.config.EnvConfigSource;
import java.util.Locale;
import java.util.Properties;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Reads a system property that is spelled as a variable of the environment, {@code -DDATABASE_URL=…}, as what that variable
 * would say. MicroProfile's configuration knows such a name from the environment alone, and ignores it elsewhere.
 */
public class CapitalProperties extends EnvConfigSource {
    /** As the system properties themselves. */
    private static final int SYSTEM_PROPERTIES = 400;

    private static final Pattern SPELLING = Pattern.compile("[A-Z][A-Z0-9_]*");

    public CapitalProperties() {
        this(System.getProperties());
    }

    CapitalProperties(Properties properties) {
        super(
                properties.stringPropertyNames().stream()
                        .filter(name -> SPELLING.matcher(name).matches())
                        .collect(Collectors.toMap(name -> name, properties::getProperty)),
                SYSTEM_PROPERTIES);
    }

    /** What is called so may have names that no setting has, as a variable of the environment may. */
    @Override
    public String getName() {
        return NAME + "[system properties]";
    }

    /** A setting, in any spelling, for who makes configuration of it and comes before it; null if there is none. */
    public static String find(String name) {
        return find(name, System.getProperties(), System::getenv);
    }

    public static String find(String name, Properties properties, UnaryOperator<String> environment) {
        String variable = name.replace('.', '_').toUpperCase(Locale.ROOT);
        String spelledSo = properties.getProperty(variable, environment.apply(variable));
        return properties.getProperty(name, spelledSo);
    }
}
