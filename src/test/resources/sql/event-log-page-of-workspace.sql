select p.up_to, e.*
from events_pruned p
left join lateral (
    select e.position, e.workspace_id, e.chat_id, e.type, e.data::text as data, e.ends_session from events e
    where e.workspace_id = $1 and e.position > $2 and e.position < events_horizon()
    order by e.position
    limit $3) e on true
