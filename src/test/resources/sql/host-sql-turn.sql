with held as materialized (
    select t.id, t.session_id, t.chat_id, t.workspace_id, t.host_id, t.state, t.epoch, t.stop_requested,
           t.said_length, t.last_seq, t.owes_usage, t.told_input, t.told_output,
           case when $2::boolean then t.said end as said,
           (extract(epoch from clock_timestamp() - t.claimed_at) * 1000)::bigint as worked_ms,
           greatest(0, extract(epoch from t.lease_until - now()))::bigint as seconds_left,
           s.status, s.ended_at is not null as session_ended, s.epoch as session_epoch,
           s.max_tokens - s.input_tokens - s.output_tokens - t.told_input - t.told_output as tokens_left
    from turns t
    join agent_sessions s on s.id = t.session_id
    where t.id = $1
    for no key update of s, t)
select h.*, coalesce($3::uuid is null or case when clock_timestamp() < statement_timestamp() + interval '1 millisecond' then (
        select m.role from workspace_members m where m.workspace_id = h.workspace_id and m.user_id = $3)
    else role_now(h.workspace_id, $3) end in ('owner', 'admin', 'member'), false) as served
from held h
