select * from (
    (select 'question' as kind, q.id as question_id, q.session_id, q.chat_id, q.content as detail, q.data ->> 'schema'
            as schema, q.at as since, s.agent_type, s.user_id, s.chat_name
     from messages q
     join agent_sessions s on s.id = q.session_id
     where q.workspace_id = $1 and q.state = 'open' and q.kind = 'question' and s.ended_at is null
     order by q.id
     limit $2)
    union all
    (select case when s.status = 'paused' then 'paused' else 'stalled' end, null, s.id, s.chat_id,
            s.pause_reason, null, coalesce(s.pause_at, s.stalled_at), s.agent_type, s.user_id, s.chat_name
     from agent_sessions s
     where s.workspace_id = $1 and s.ended_at is null
         and (s.status = 'paused' or s.stalled_at is not null and s.status = 'running')
     order by s.id
     limit $2)) a
order by since
limit $2
