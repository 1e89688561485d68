-- Removes parked offers that were found stale.
DELETE FROM parked USING unnest(
    $1::bigint[], $2::bytea[], $3::bytea[], $4::smallint[], $5::boolean[], $6::bytea[], $7::smallint[], $8::bigint[],
    $9::bigint[], $10::bytea[]
) AS old (shard, namespace, queue, work, sticky, sticky_of, priority, pass, time, run)
WHERE
    parked.shard = old.shard AND parked.namespace = old.namespace AND parked.queue = old.queue AND parked.work = old.work
    AND parked.sticky = old.sticky AND parked.sticky_of = old.sticky_of AND parked.priority = old.priority
    AND parked.pass = old.pass AND parked.time = old.time AND parked.run = old.run
