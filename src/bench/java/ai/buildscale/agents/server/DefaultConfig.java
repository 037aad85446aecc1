package ai.buildscale.agents.server;

import io.smallrye.config.WithDefault;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/** The configuration of a server on which nothing is set: what {@link ServerConfig} itself says. */
final class DefaultConfig {
    private DefaultConfig() {}

    static ServerConfig read() {
        Map<String, Object> values = new HashMap<>();
        for (Method method : ServerConfig.class.getMethods()) {
            WithDefault given = method.getAnnotation(WithDefault.class);
            values.put(
                    method.getName(), given == null ? Optional.empty() : value(method.getReturnType(), given.value()));
        }
        return (ServerConfig) Proxy.newProxyInstance(
                ServerConfig.class.getClassLoader(),
                new Class<?>[] {ServerConfig.class},
                (_, method, _) -> values.get(method.getName()));
    }

    private static Object value(Class<?> type, String text) {
        if (type == Duration.class) {
            return Duration.parse("PT" + text);
        }
        return type == int.class ? (Object) Integer.valueOf(text) : (Object) Boolean.valueOf(text);
    }
}
