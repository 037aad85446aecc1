package ai.buildscale.agents.platform.postgres;

import ai.buildscale.agents.platform.problem.Problem;
import io.smallrye.mutiny.Multi;
import io.smallrye.mutiny.Uni;
import io.smallrye.mutiny.subscription.UniEmitter;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.function.Function;

/**
 * Batches items while the previous statement is in flight (group commit). So the busier it is the more there is in
 * each, and nobody waits for a timer. May be called from any thread.
 *
 * @param <T> what is given
 * @param <R> what comes back for all that went out together
 */
public final class Batcher<T, R> {
    private record QueuedItem<T, R>(T item, UniEmitter<? super R> emitter) {}

    private final int most;
    private final Function<List<T>, Uni<R>> statement;
    private final Queue<QueuedItem<T, R>> queue = new ArrayDeque<>();
    private boolean underWay;

    /** @param most how many go out together */
    public Batcher(int most, Function<List<T>, Uni<R>> statement) {
        this.most = most;
        this.statement = statement;
    }

    /** Emits the answer to the statement that the item went out with. */
    public Uni<R> add(T item) {
        return Uni.createFrom().emitter(emitter -> {
            synchronized (this) {
                queue.add(new QueuedItem<>(item, emitter));
                if (underWay) {
                    return;
                }
                underWay = true;
            }
            next();
        });
    }

    private void next() {
        List<QueuedItem<T, R>> batch = new ArrayList<>();
        synchronized (this) {
            while (batch.size() < most && !queue.isEmpty()) {
                batch.add(queue.poll());
            }
            underWay = !batch.isEmpty();
        }
        if (!batch.isEmpty()) {
            Uni.createFrom()
                    .deferred(() ->
                            statement.apply(batch.stream().map(QueuedItem::item).toList()))
                    .subscribe()
                    .with(
                            answer -> {
                                next();
                                batch.forEach(waiting -> waiting.emitter().complete(answer));
                            },
                            failure -> failed(batch, failure));
        }
    }

    /** What is wrong with one must not harm the others: each goes alone. */
    private void failed(List<QueuedItem<T, R>> batch, Throwable failure) {
        if (batch.size() == 1 || Database.isAway(failure) || failure instanceof Problem) {
            next();
            batch.forEach(waiting -> waiting.emitter().fail(failure));
            return;
        }
        Multi.createFrom()
                .iterable(batch)
                .onItem()
                .transformToUniAndConcatenate(waiting -> Uni.createFrom()
                        .deferred(() -> statement.apply(List.of(waiting.item())))
                        .invoke(waiting.emitter()::complete)
                        .onFailure()
                        .invoke(waiting.emitter()::fail)
                        .onFailure()
                        .recoverWithNull())
                .onTermination()
                .invoke(this::next)
                .subscribe()
                .with(_ -> {}, _ -> {});
    }
}
