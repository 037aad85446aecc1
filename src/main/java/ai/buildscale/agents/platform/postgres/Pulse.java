package ai.buildscale.agents.platform.postgres;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.vertx.core.net.NetSocket;
import io.vertx.core.net.impl.NetSocketInternal;
import io.vertx.sqlclient.Row;
import io.vertx.sqlclient.RowSet;
import io.vertx.sqlclient.SqlConnection;
import io.vertx.sqlclient.impl.SocketConnectionBase;
import io.vertx.sqlclient.impl.SqlConnectionBase;
import io.vertx.sqlclient.impl.command.CommandBase;
import io.vertx.sqlclient.impl.command.CommandResponse;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Tells what is known of one connection to Postgres: since when an answer is due, when it was last heard, whether it
 * takes writes. It stands in the connection's Netty pipeline; other threads may ask it anything.
 */
// for Netty, which would not let it move within its one pipeline
@Sharable
final class Pulse extends ChannelDuplexHandler {
    private static final String NAME = "pulse";
    /** Vert.x' own last handler. */
    private static final String LAST = "handler";

    private static final String QUESTION = "show transaction_read_only";

    private final Connections watch;
    private final long bornAt = System.nanoTime();
    /** At first the opening itself. */
    private final AtomicInteger unanswered = new AtomicInteger(1);

    private volatile ChannelPipeline pipeline;
    private volatile SqlConnection connection;
    private volatile String question = QUESTION;
    private volatile long heardAt = bornAt;
    private volatile long dueSince = bornAt;
    private volatile long askedAt;
    private volatile boolean asked;
    private volatile boolean readOnly;
    private volatile boolean unfit;
    private volatile long unfitSince;
    private volatile boolean doubted;
    private volatile boolean suspected;
    private volatile long suspectedFor;

    private Pulse(Connections watch) {
        this.watch = watch;
    }

    /** Follows a connection from its first byte on. */
    static void take(NetSocket socket, Connections watch) {
        Pulse pulse = new Pulse(watch);
        pulse.pipeline = ((NetSocketInternal) socket).channelHandlerContext().pipeline();
        pulse.pipeline.addBefore(LAST, NAME, pulse);
        watch.begin(pulse);
    }

    /** Null if it is closed. */
    static Pulse of(SqlConnection connection) {
        SocketConnectionBase raw = (SocketConnectionBase)
                ((SqlConnectionBase<?>) connection).unwrap().unwrap();
        return raw.socket().channelHandlerContext().pipeline().get(Pulse.class);
    }

    /** From here on it stands where it sees commands and their answers, not bytes. On the connection's own thread. */
    void opened(SqlConnection opened) {
        pipeline.remove(this);
        pipeline.addBefore(LAST, NAME, this);
        unanswered.set(0);
        connection = opened;
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
        if (message instanceof CommandBase && unanswered.getAndIncrement() == 0) {
            dueSince = System.nanoTime();
        }
        super.write(context, message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        boolean left = isLeft(message);
        long now = System.nanoTime();
        heardAt = now;
        dueSince = now;
        doubted = false;
        if (message instanceof CommandResponse) {
            unanswered.decrementAndGet();
        }
        context.fireChannelRead(message);
        if (left) {
            close();
        }
    }

    /** The other end says as its first word that it has no TLS: the driver tries another connection, and leaves this open. */
    private boolean isLeft(Object message) {
        return heardAt == bornAt
                && message instanceof ByteBuf bytes
                && bytes.readableBytes() == 1
                && bytes.getByte(bytes.readerIndex()) == 'N';
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
        watch.end(this);
        context.fireChannelInactive();
    }

    boolean isOpen() {
        return connection != null;
    }

    boolean isReadOnly() {
        return readOnly;
    }

    /** Nothing is asked of it now. */
    boolean isIdle() {
        return unanswered.get() == 0;
    }

    /** An answer is due for so long; found twice, as this process may have stood still with the answer before its door. */
    boolean isSilent(Duration patience, long now) {
        long since = dueSince;
        if (isIdle() || now - since <= patience.toNanos()) {
            suspected = false;
            return false;
        }
        boolean again = suspected && suspectedFor == since;
        suspected = true;
        suspectedFor = since;
        return again;
    }

    boolean isDoubted() {
        return doubted;
    }

    /** If nothing has come from it since the other was asked, which is dead, it must show at once that it lives. */
    void doubtLike(Pulse dead) {
        if (isOpen() && heardAt - dead.dueSince <= 0) {
            doubted = true;
            if (isIdle()) {
                ask();
            }
        }
    }

    /** It has rested for so long that it may be dead without anybody's knowing. */
    boolean hasRested(Duration rest, long now) {
        return isOpen() && isIdle() && !asked && now - heardAt > rest.toNanos();
    }

    /** From now on it is asked this when it rests; an answer of no rows only tells that it lives. */
    void asks(String sql) {
        question = sql;
    }

    /** Finds out whether it lives and takes writes. */
    void ask() {
        askedAt = System.nanoTime();
        asked = true;
        connection.query(question).execute().onComplete(answer -> {
            asked = false;
            if (answer.succeeded() && answer.result().size() > 0) {
                learned(isOn(answer.result()));
            }
        });
    }

    static boolean isOn(RowSet<Row> rows) {
        Row row = rows.iterator().next();
        return "on".equals(row.getString(row.size() - 1));
    }

    /** Asked, and without an answer for so long; it had nothing else to do. */
    boolean isLate(Duration patience, long now) {
        return asked && now - askedAt > patience.toNanos();
    }

    void learned(boolean isReadOnly) {
        readOnly = isReadOnly;
        if (isReadOnly) {
            giveUp();
        }
    }

    boolean isOlderThan(Duration age, long now) {
        return now - bornAt > age.toNanos();
    }

    /** Nothing can be written on it: it goes when it rests, or after a while. */
    void giveUp() {
        if (!unfit) {
            unfitSince = System.nanoTime();
            unfit = true;
        }
    }

    boolean isGivenUpFor(Duration grace, long now) {
        return unfit && (isIdle() || now - unfitSince > grace.toNanos());
    }

    /**
     * Closes it at once, without a word to the other end. The driver's own way of closing says goodbye and then waits
     * for the other end to close, and so for ever if that is dead; who stands first in the pipeline stands before it.
     */
    void close() {
        pipeline.channel().eventLoop().execute(() -> {
            ChannelHandlerContext first = pipeline.firstContext();
            if (first != null) {
                var _ = first.close();
            }
        });
    }
}
