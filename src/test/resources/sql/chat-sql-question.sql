select m.id, m.state, m.data ->> 'schema' as schema,
       (select a.content from messages a
        where a.chat_id = m.chat_id and a.kind = 'answer' and a.data ->> 'question_id' = m.id::text) as answer
from messages m
where m.chat_id = $1 and m.kind = 'question' and ($2::uuid is null or m.id = $2)
order by m.position desc
limit 1
