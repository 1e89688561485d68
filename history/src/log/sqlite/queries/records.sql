-- The records of a run behind a snapshot, in order; all of them from (0, 0).
SELECT seq, epoch, time, first_event_id, event_count, events, changes, chain FROM log
WHERE run = ?1 AND first_event_id >= ?2 AND seq > ?3
ORDER BY first_event_id, seq
