-- Fragments of a history from the one that holds event ?2 up to event ?3 (exclusive). That one is the last with events
-- that begins at or before it, if it is long enough.
SELECT first_event_id, event_count, events FROM log
WHERE
    run = ?1
    AND first_event_id >= coalesce(
        (
            SELECT first_event_id FROM log
            WHERE run = ?1 AND first_event_id <= ?2 AND event_count > 0
            ORDER BY first_event_id DESC LIMIT 1
        ),
        ?2
    )
    AND first_event_id < ?3
    AND first_event_id > ?2 - event_count
    AND event_count > 0
ORDER BY first_event_id, seq
LIMIT ?4
