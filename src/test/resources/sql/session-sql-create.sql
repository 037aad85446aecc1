with host as materialized (
    select $12::uuid is null or exists (
        select from servers v
        where v.id = $12 and v.state = 'active' and v.lost_at is null and v.left_at is null) as takes),
place as (
    select w.id as place_id, w.max_live_sessions from workspaces w where w.id = $2 for key share),
occupied as (
    select s.id from place p
    join agent_sessions s on s.workspace_id = p.place_id and s.chat_id = $3 and s.ended_at is null
    for no key update of s),
room as (
    update workspace_usage u
    set live_sessions = u.live_sessions + 1, total_sessions = u.total_sessions + 1
    from place p
    where u.workspace_id = p.place_id
        and ($5::text[] is null or case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = p.place_id and m.user_id = $4)
    else role_now(p.place_id, $4) end = any ($5))
        and not exists (select from occupied)
        and u.live_sessions < p.max_live_sessions
        and (select takes from host)
    returning u.workspace_id),
created as (
    insert into agent_sessions (id, workspace_id, chat_id, user_id, agent_type, status, model, mode,
        current_task, hosting, labels, server_id, server_hostname, requires, chat_name, max_turns, max_tokens,
        max_seconds, last_position)
    select $1::uuid, r.workspace_id, $3::uuid, $4::uuid, $6::text, 'idle', $7::text, $8::text, $9::text,
           $10::text, coalesce($11::text::jsonb, '{}'), $12::uuid, $13::text,
           coalesce($14::text::jsonb, '{}'), $15::text, $16::integer, $17::bigint, $18::bigint,
           next_position(0, 0) + 2
    from room r
    returning *),
beating as (
    insert into session_heartbeats (session_id)
    select c.id from created c
    -- a chat's session is at rest until a host takes its turn
    where c.hosting = 'external' and not exists (
        select from chats k where k.id = c.chat_id and k.workspace_id = c.workspace_id)),
moved as (
    select c.*, null::text as previous_status, null::text as previous_task, null::text as why,
           null::text as command
    from created c),
logged as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select m.last_position - 0 - 2, m.workspace_id, m.chat_id, m.id, 'agent_status', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'status', m.status, 'previous_status', m.previous_status, 'reason', m.why, 'at', utc(m.updated_at),
    'epoch', m.epoch, 'version', m.version), m.updated_at,
           m.ended_at is not null and m.open_commands = 0
    from moved m
    where m.status is distinct from m.previous_status
    union all
    select m.last_position - 0 - 1, m.workspace_id, m.chat_id, m.id, 'agent_task', jsonb_build_object('session_id', m.id, 'chat_id', m.chat_id, 'agent_type', m.agent_type,
    'task', m.current_task, 'at', utc(m.updated_at), 'version', m.version), m.updated_at, false
    from moved m
    where m.current_task is distinct from m.previous_task
    )

select s.id, s.workspace_id, s.chat_id, s.user_id, s.agent_type, s.status, s.model, s.mode, s.chat_name,
s.current_task, s.error_message, s.result::text, s.created_at, s.updated_at,
coalesce(s.last_heartbeat, greatest(s.created_at, case s.hosting
    when 'server' then (select v.renewed_at from servers v where v.id = s.server_id)
    else (select h.beat_at from session_heartbeats h where h.session_id = s.id) end)) as last_heartbeat,
s.ended_at, s.version, s.epoch, s.hosting, s.server_id, s.server_hostname, s.last_progress_at, s.blocked_on,
s.pause_id, s.pause_reason, s.pause_by, s.pause_at, s.pause_expires_at, s.labels::text, s.requires::text,
s.stalled_at, s.turns, s.input_tokens, s.output_tokens, s.worked_ms, s.max_turns, s.max_tokens,
s.max_seconds, p.max_live_sessions, exists (select from occupied) as occupied, host.takes
from place p
cross join host
left join created s on true
