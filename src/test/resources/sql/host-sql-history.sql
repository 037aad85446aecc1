select c.chat_id, m.* from unnest($1::uuid[]) as c (chat_id)
cross join lateral (
    select m.kind, m.content, m.data::text as data, m.position, m.id from messages m
    where m.chat_id = c.chat_id and m.turn_id is not null
    order by m.position desc, m.id desc
    limit $2) m
order by c.chat_id, m.position, m.id
