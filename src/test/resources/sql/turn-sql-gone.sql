select a.id, s.id is null or s.ended_at is not null as ended from unnest($2::uuid[]) as a (id)
left join agent_sessions s on s.id = a.id
where s.id is null or s.ended_at is not null or s.server_id is distinct from $1
union
select s.id, true from agent_sessions s
where s.server_id = $1 and s.ended_at > now() - interval '5 seconds'
