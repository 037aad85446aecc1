select pg_try_advisory_lock_shared(1936028260, presence_key($1)) as held
