-- Deletion: what `heartbeats` holds of runs.
DELETE FROM heartbeats WHERE run = ANY($1)
