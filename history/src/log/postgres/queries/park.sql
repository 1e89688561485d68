-- Parks offers. Two tasks of a run that differ in nothing a queue looks at are one row: it is only where to look.
INSERT INTO parked (shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, run)
SELECT * FROM unnest(
    $1::bigint[], $2::bytea[], $3::bytea[], $4::smallint[], $5::boolean[], $6::bytea[], $7::smallint[], $8::bigint[],
    $9::bigint[], $10::bytea[]
)
ON CONFLICT DO NOTHING
