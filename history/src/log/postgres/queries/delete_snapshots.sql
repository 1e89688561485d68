-- Deletion: what `snapshots` holds of runs.
DELETE FROM snapshots WHERE run = ANY($1)
