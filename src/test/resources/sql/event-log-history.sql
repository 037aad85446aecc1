select e.position, e.type, e.at, e.data::text as data from events e
where e.chat_id = s.chat_id and e.session_id = s.id and e.position > $3
order by e.position
limit $4
