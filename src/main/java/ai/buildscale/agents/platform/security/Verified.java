package ai.buildscale.agents.platform.security;

/** A verified token, and the caller for whom it stands. Good until its end, or until the issuer's keys change. */
public final class Verified {
    private final Caller caller;
    private final KeySet keys;

    Verified(Caller caller, KeySet keys) {
        this.caller = caller;
        this.keys = keys;
    }

    public Caller caller() {
        return caller;
    }

    KeySet keys() {
        return keys;
    }
}
