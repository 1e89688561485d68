-- Replaces snapshots of runs, and notes where the records behind them begin.
INSERT INTO snapshots (run, seq, chain, state, first_event_id)
SELECT
    new.*,
    coalesce(
        (
            SELECT first_event_id FROM log
            WHERE log.run = new.run AND log.seq <= new.seq
            ORDER BY first_event_id DESC, seq DESC LIMIT 1
        ),
        0
    )
FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[]) AS new (run, seq, chain, state)
ON CONFLICT (run) DO UPDATE SET
    seq = excluded.seq, chain = excluded.chain, state = excluded.state, first_event_id = excluded.first_event_id
