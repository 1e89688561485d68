-- Fragments of a history from the one that holds event $2 up to event $3 (exclusive), no more than $4, until they reach $5
-- bytes. The first is the last with events that begins at or before $2, if it is long enough.
SELECT first_event_id, event_count, events FROM (
    SELECT
        first_event_id,
        seq,
        event_count,
        events,
        sum(octet_length(events)) OVER (ORDER BY first_event_id, seq ROWS UNBOUNDED PRECEDING)
            - octet_length(events) AS before
    FROM log
    WHERE
        run = $1
        AND first_event_id >= coalesce(
            (
                SELECT first_event_id FROM log
                WHERE run = $1 AND first_event_id <= $2 AND event_count > 0
                ORDER BY first_event_id DESC LIMIT 1
            ),
            $2
        )
        AND first_event_id < $3
        AND first_event_id > $2 - event_count
        AND event_count > 0
    ORDER BY first_event_id, seq
    LIMIT $4
) AS page
WHERE before < $5
ORDER BY first_event_id, seq
