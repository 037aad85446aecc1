select m.id, m.kind, m.content, m.data::text as data, m.user_id, m.turn_id, m.state, m.position, m.at from messages m
where m.chat_id = $1 and ($2::bigint is null or m.position < $2)
order by m.position desc
limit $3
