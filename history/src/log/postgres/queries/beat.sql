-- A node lives, unless a later process has its name. A process that says 0 begins now.
INSERT INTO nodes (id, address, started, leaving, beat)
SELECT $1, $2, CASE $3::bigint WHEN 0 THEN clock.nanos ELSE $3 END, $4, clock.nanos
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint AS nanos) AS clock
ON CONFLICT (id) DO UPDATE
SET address = excluded.address, started = excluded.started, leaving = excluded.leaving, beat = excluded.beat
WHERE nodes.started <= excluded.started
