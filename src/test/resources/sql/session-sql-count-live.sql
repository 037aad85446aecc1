select count(*) as total from agent_sessions s
where s.workspace_id = $1
    and ($2::text[] is null or s.status = any ($2))
    and ($3::text is null or s.agent_type = $3)
    and ($4::uuid is null or s.user_id = $4)
    and ($5::uuid is null or s.server_id = $5)
    and ($6::text is null or s.labels @> $6::text::jsonb)
    and s.ended_at is null
