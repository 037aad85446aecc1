update servers v
set lost_at = now(),
    lost_reason = case when v.id = any ($1::uuid[]) then 'lease_expired' else 'connection_lost' end
where v.lost_at is null and v.left_at is null
    and (v.id = any ($1::uuid[]) and v.renewed_at < now() - $3 * interval '1 millisecond'
        or v.id = any ($2::uuid[]) and v.watched and not server_is_present(v.id))
    and exists (
        select from servers me
        where me.id = $4 and me.lost_at is null and me.left_at is null
            and me.renewed_at > now() - $3 * interval '1 millisecond')
returning v.id
