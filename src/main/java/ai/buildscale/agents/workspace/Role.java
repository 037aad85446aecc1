package ai.buildscale.agents.workspace;

import ai.buildscale.agents.platform.WireEnum;
import org.eclipse.microprofile.openapi.annotations.media.Schema;

/** A member's role; each may do all that the ones after it may. */
@Schema(enumeration = {"owner", "admin", "member", "viewer"})
public enum Role {
    /** Changes quotas, appoints owners, deletes the workspace. */
    OWNER,
    /** Manages members and the name. */
    ADMIN,
    /** Creates sessions. */
    MEMBER,
    /** Sees the workspace's sessions and follows their events. */
    VIEWER;

    public boolean includes(Role needed) {
        return compareTo(needed) <= 0;
    }

    @Override
    public String toString() {
        return WireEnum.name(this);
    }
}
