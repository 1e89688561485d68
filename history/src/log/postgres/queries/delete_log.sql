-- Deletion: what `log` holds of runs.
DELETE FROM log WHERE run = ANY($1)
