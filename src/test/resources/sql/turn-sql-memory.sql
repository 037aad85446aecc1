select m.turn_id, m.kind, m.content, m.data::text as data from (
    select * from messages where chat_id = $1 and turn_id = $2
    union all
    (select * from messages where chat_id = $1 and turn_id <> $2
     order by position desc
     limit $3)) m
order by m.position, m.id
