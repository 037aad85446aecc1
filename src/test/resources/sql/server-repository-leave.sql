update servers set left_at = now(), renewed_at = now(), watched = false
where id = $1 and lost_at is null and left_at is null
