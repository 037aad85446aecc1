select from_char, text from chunks where chat_id = $1 and turn_id = $2 order by from_char, position
