select r.host_id, r.outcome, r.given::text as given, r.last_seq, r.desired_status from turn_results r
where r.turn_id = $1 and r.epoch = $2
