select c.session_id, c.chat_id, c.turn_id, c.from_char, c.text from chunks c
where c.workspace_id = $1 and c.chat_id = $2 and c.position <= $3
    and exists (select from turns t where t.id = c.turn_id and t.ended_at is null)
order by c.turn_id, c.from_char, c.position
