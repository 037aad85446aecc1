-- Extends the beats of these sessions, in the order of their ids, so that no two batches wait for each other in a circle.
-- Rows are locked in the order in which they are found: only along the index is that the same for all, and on a small
-- table the planner would read the heap, whose order changes with each beat.
create function extend_beats(ids uuid[]) returns void
    language plpgsql
    set enable_seqscan = off
    set enable_bitmapscan = off
as $$
begin
    update session_heartbeats h set beat_at = now() where h.session_id = any (ids);
end
$$;
