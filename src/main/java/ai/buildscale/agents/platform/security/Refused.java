package ai.buildscale.agents.platform.security;

/** A refused token; the message says why, for its sender, and holds nothing of the token. */
final class Refused extends RuntimeException {
    /** What might change if the issuer had other keys. */
    enum Reason {
        /** Nothing: it is the token itself. */
        TOKEN,
        /** A key of that name is known, and has not signed it. */
        SIGNATURE,
        /** No key that is known may have signed it. */
        UNKNOWN_KEY
    }

    private final Reason reason;

    Refused(Reason reason, String message) {
        super(message, null, false, false);
        this.reason = reason;
    }

    Refused(String message) {
        this(Reason.TOKEN, message);
    }

    Reason reason() {
        return reason;
    }
}
