update sweeps set finished_at = now() where name = $1
