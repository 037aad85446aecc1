with given as materialized (
    select * from jsonb_to_recordset($2::text::jsonb) as g (
        turn_id uuid, session_id uuid, epoch bigint, seq bigint, kind text, content text, data jsonb, event jsonb,
        said text, mode text, task text)),
held as materialized (
    select s.* from agent_sessions s
    where s.id in (select session_id from given) and s.server_id is not distinct from $1
        and s.status = 'running' and s.ended_at is null
    order by s.id
    for no key update of s),
mine as materialized (
    select h.id, h.last_position, h.mode as old_mode, h.current_task as old_task, g.turn_id as step_turn, g.seq,
           g.kind, g.content, g.data, g.event, g.said, g.mode as new_mode, g.task as new_task,
           row_number() over (order by h.id) - 1 as ordinal
    from held h
    join given g on g.session_id = h.id and g.epoch = h.epoch and g.turn_id = h.turn_id),
-- as the row is now, under its lock, not as it was when the statement began
said as (
    update turns t set said = coalesce(m.said, t.said), last_seq = coalesce(m.seq, t.last_seq)
    from mine m
    where t.id = m.step_turn and (m.seq is null or t.last_seq is distinct from m.seq)
    returning t.id),
fresh as (select m.* from mine m join said on said.id = m.step_turn),
s as (
    update agent_sessions s
    set mode = coalesce(m.new_mode, s.mode), current_task = coalesce(m.new_task, s.current_task),
        version = s.version + case when m.new_mode is distinct from m.old_mode and m.new_mode is not null
                or m.new_task is distinct from m.old_task and m.new_task is not null then 1 else 0 end,
        updated_at = clock_timestamp(), last_progress_at = clock_timestamp(), stalled_at = null,
        last_position = next_position(m.last_position, m.ordinal)
    from fresh m
    where s.id = m.id
    returning s.*),
in_mode as (
    update chats c set mode = m.new_mode, updated_at = now()
    from fresh m
    join s on s.id = m.id
    where m.new_mode is not null and c.id = s.chat_id),
written as (
    insert into messages (id, workspace_id, chat_id, session_id, turn_id, kind, content, data, position)
    select next_id(), s.workspace_id, s.chat_id, s.id, m.step_turn, m.kind, m.content, m.data, s.last_position
    from fresh m
    join s on s.id = m.id
    where m.kind in ('thought', 'call', 'observation')),
told as (
    insert into events (position, workspace_id, chat_id, session_id, type, data, at, ends_session)
    select s.last_position, s.workspace_id, s.chat_id, s.id,
           case m.kind when 'mode' then 'mode_changed' when 'task' then 'agent_task' else m.kind end,
           jsonb_build_object('session_id', s.id, 'chat_id', s.chat_id, 'turn_id', m.step_turn,
               'agent_type', s.agent_type, 'at', utc(s.updated_at), 'version', s.version) || m.event,
           s.updated_at, false
    from fresh m
    join s on s.id = m.id)
select id from mine
