package ai.buildscale.agents.server;

/** Lets the benchmarks run the very statements that the service runs. */
public final class ServerStatements {
    private ServerStatements() {}

    /** The class of the locks that servers hold while they live. */
    public static int presenceLocks() {
        return ServerRepository.PRESENCE_LOCKS;
    }

    public static String renew() {
        return ServerRepository.RENEW;
    }

    public static String members() {
        return ServerRepository.MEMBERS;
    }
}
