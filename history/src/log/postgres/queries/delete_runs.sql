-- Deletion: what `runs` holds of runs.
DELETE FROM runs WHERE run = ANY($1)
