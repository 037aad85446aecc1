insert into turn_results (turn_id, epoch, host_id, outcome, given, last_seq, desired_status)
select t.id, $2::bigint, $3::uuid, $4::text, $5::text::jsonb, t.last_seq, $6::text from turns t where t.id = $1
on conflict do nothing
