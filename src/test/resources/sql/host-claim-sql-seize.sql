with found as materialized (
    select t.id as turn_id, t.session_id, t.chat_id, t.said, t.attempt, t.told_input, t.told_output, s.epoch + 1 as next,
           case when t.state = 'running'
               then (extract(epoch from least(now(), t.lease_until) - t.claimed_at) * 1000)::bigint else 0 end as worked_ms,
           case when t.stop_requested or s.status = 'idle' then 'stopped'
                when s.status = 'paused' then 'paused'
                when (t.state = 'parked' or t.state = 'running' and t.lease_until <= now()) and t.state = 'running' and t.begun_at is not null and t.attempt >= $1 then 'failed' else 'spent' end as ending,
           case when t.stop_requested then 'stopped'
                when s.status = 'idle' then 'yielded'
                when s.status = 'paused' then 'paused'
                when not ((t.state = 'parked' or t.state = 'running' and t.lease_until <= now()) and t.state = 'running' and t.begun_at is not null and t.attempt >= $1) then 'budget: its time is used up' end as reason
    from turns t
    join agent_sessions s on s.id = t.session_id
    where t.claimed_at is not null and t.ended_at is null and s.ended_at is null and s.turn_id = t.id
        and s.hosting = 'external' and s.status in ('idle', 'running', 'paused')
        and (t.stop_requested and ((t.state = 'parked' or t.state = 'running' and t.lease_until <= now()) or t.state in ('waiting', 'paused'))
            or (t.state = 'parked' or t.state = 'running' and t.lease_until <= now()) and s.status in ('idle', 'paused')
            or (t.state = 'parked' or t.state = 'running' and t.lease_until <= now()) and t.state = 'running' and t.begun_at is not null and t.attempt >= $1
            or t.state = 'running' and s.status = 'running' and s.worked_ms
                + extract(epoch from now() - t.claimed_at) * 1000 >= s.max_seconds * 1000)
    order by s.id
    limit $2
    for no key update of s, t skip locked),
fenced as (
    update agent_sessions s set epoch = f.next from found f where s.id = f.session_id),
seized as (
    update turns t set epoch = f.next, lease_until = now(), told_input = 0, told_output = 0
    from found f
    where t.id = f.turn_id)
select * from found
