select pg_advisory_xact_lock(hashtextextended('chat:' || $1::uuid, 0))::text as locked
