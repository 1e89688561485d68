-- A node lives, unless a later process has its name. A process that says 0 begins now.
INSERT INTO nodes (id, address, started, leaving, beat)
VALUES (?1, ?2, CASE ?3 WHEN 0 THEN ?5 ELSE ?3 END, ?4, ?5)
ON CONFLICT (id) DO UPDATE
SET address = excluded.address, started = excluded.started, leaving = excluded.leaving, beat = excluded.beat
WHERE nodes.started <= excluded.started
