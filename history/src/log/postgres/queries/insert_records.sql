-- Appends records. A second one with the same key is an error, never a replacement.
INSERT INTO log (run, first_event_id, seq, epoch, time, event_count, chain, changes, events)
SELECT * FROM unnest(
    $1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[]
)
