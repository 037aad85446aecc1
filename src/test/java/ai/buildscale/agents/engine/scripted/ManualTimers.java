package ai.buildscale.agents.engine.scripted;

import io.vertx.core.Handler;
import io.vertx.core.Vertx;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.TreeMap;

/** A Vert.x with nothing but timers, which fire when the test says so. */
final class ManualTimers implements InvocationHandler {
    private record Timer(Duration delay, Handler<Long> handler) {}

    private final TreeMap<Long, Timer> pending = new TreeMap<>();
    private long last;
    private Duration elapsed = Duration.ZERO;

    Vertx vertx() {
        return (Vertx) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Vertx.class}, this);
    }

    int pending() {
        return pending.size();
    }

    /** What all timers that have run out took together. */
    Duration elapsed() {
        return elapsed;
    }

    void runOut() {
        var first = pending.pollFirstEntry();
        elapsed = elapsed.plus(first.getValue().delay());
        first.getValue().handler().handle(first.getKey());
    }

    @Override
    @SuppressWarnings("unchecked")
    public Object invoke(Object proxy, Method method, Object[] args) {
        return switch (method.getName()) {
            case "setTimer" -> {
                pending.put(++last, new Timer(Duration.ofMillis((Long) args[0]), (Handler<Long>) args[1]));
                yield last;
            }
            case "cancelTimer" -> pending.remove((Long) args[0]) != null;
            default -> throw new UnsupportedOperationException(method.getName());
        };
    }
}
