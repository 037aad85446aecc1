with noted as (
    update turns t
    set lease_until = now() + $2 * interval '1 millisecond', begun_at = coalesce(t.begun_at, now()),
        last_seq = coalesce($3::bigint, t.last_seq),
        told_input = t.told_input + $4, told_output = t.told_output + $5
    where t.id = $1
    returning t.session_id)
select extend_beats(array(select session_id from noted))
