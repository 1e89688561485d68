-- The snapshot of a run, and where the records behind it begin.
SELECT seq, chain, state, first_event_id FROM snapshots WHERE run = ?1
