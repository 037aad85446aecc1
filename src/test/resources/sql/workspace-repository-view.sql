select new ai.buildscale.agents.workspace.WorkspaceView(w.id, w.name, w.createdBy, m.role,
    w.maxLiveSessions, u.liveSessions, w.version, w.createdAt, w.updatedAt)
from Workspace w
join WorkspaceUsage u on u.workspaceId = w.id
left join WorkspaceMember m on m.workspaceId = w.id and m.userId = ?1
