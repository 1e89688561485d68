-- Fragments of a history that hold events below $2, newest first, no more than $3, until they reach $4 bytes.
SELECT first_event_id, event_count, events FROM (
    SELECT
        first_event_id,
        seq,
        event_count,
        events,
        sum(octet_length(events)) OVER (ORDER BY first_event_id DESC, seq DESC ROWS UNBOUNDED PRECEDING)
            - octet_length(events) AS before
    FROM log
    WHERE run = $1 AND first_event_id < $2 AND event_count > 0
    ORDER BY first_event_id DESC, seq DESC
    LIMIT $3
) AS page
WHERE before < $4
ORDER BY first_event_id DESC, seq DESC
