package ai.buildscale.agents.engine.scripted;

import ai.buildscale.agents.engine.Output;
import java.util.concurrent.Flow;
import java.util.function.Consumer;

/** Subscribes to a turn, and requests each output by itself. */
final class TurnSubscriber implements Flow.Subscriber<Output> {
    private final Consumer<Output> each;
    private Flow.Subscription subscription;
    private Throwable failure;
    private boolean complete;

    TurnSubscriber(Consumer<Output> each) {
        this.each = each;
    }

    void request(long n) {
        subscription.request(n);
    }

    void cancel() {
        subscription.cancel();
    }

    Throwable failure() {
        return failure;
    }

    boolean isComplete() {
        return complete;
    }

    boolean isOver() {
        return complete || failure != null;
    }

    @Override
    public void onSubscribe(Flow.Subscription subscription) {
        this.subscription = subscription;
    }

    @Override
    public void onNext(Output output) {
        each.accept(output);
    }

    @Override
    public void onError(Throwable failure) {
        this.failure = failure;
    }

    @Override
    public void onComplete() {
        complete = true;
    }
}
