-- Everything that is parked for a run, wherever.
SELECT namespace, queue, work, sticky, sticky_of, priority, pass, time, run, shard FROM parked
WHERE run = ?1
ORDER BY shard, namespace, queue, work, sticky, sticky_of, priority, pass, time
