-- Fragments of a history that hold events below ?2, newest first.
SELECT first_event_id, event_count, events FROM log
WHERE run = ?1 AND first_event_id < ?2 AND event_count > 0
ORDER BY first_event_id DESC, seq DESC
LIMIT ?3
