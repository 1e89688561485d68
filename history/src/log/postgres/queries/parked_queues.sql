-- The queues of a shard for which something is parked, with how much and since when.
SELECT namespace, queue, work, sticky, sticky_of, count(*), min(time) FROM parked
WHERE shard = $1
GROUP BY namespace, queue, work, sticky, sticky_of
ORDER BY namespace, queue, work, sticky, sticky_of
