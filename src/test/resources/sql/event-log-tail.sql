select pg_snapshot_xmin(s.snapshot)::text::bigint << 16 as horizon,
       pg_snapshot_xmax(s.snapshot)::text::bigint << 16 as ceiling, e.*
from (select pg_current_snapshot() as snapshot) s
left join lateral (
    (select e.position, e.workspace_id, e.chat_id, e.type, e.data::text as data, e.ends_session, false as live from events e
     where e.position > $1 and e.position < pg_snapshot_xmin(s.snapshot)::text::bigint << 16
     order by e.position
     limit $3)
    union all
    (select c.position, c.workspace_id, c.chat_id, 'chunk', jsonb_build_object('session_id', c.session_id, 'chat_id', c.chat_id, 'turn_id', c.turn_id,
    'offset', c.from_char, 'text', c.text)::text, false, true from chunks c
     where c.position > $2 and c.position < pg_snapshot_xmin(s.snapshot)::text::bigint << 16
     order by c.position
     limit $3)
    order by position
    limit $3) e on true
