-- When somebody must look at runs, where nothing else of their rows changes.
UPDATE runs SET wake_at = new.wake_at
FROM unnest($1::bytea[], $2::bigint[]) AS new (run, wake_at)
WHERE runs.run = new.run
