-- Replaces the snapshot of a run, and notes where the records behind it begin.
INSERT OR REPLACE INTO snapshots (run, seq, chain, state, first_event_id)
VALUES (
    ?1, ?2, ?3, ?4,
    coalesce(
        (SELECT first_event_id FROM log WHERE run = ?1 AND seq <= ?2 ORDER BY first_event_id DESC, seq DESC LIMIT 1),
        0
    )
)
