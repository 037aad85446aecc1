select e.position, e.type, e.at, e.data::text as data from events e
where e.chat_id = $1 and e.session_id = $2 and e.position > $3
order by e.position
limit $4
