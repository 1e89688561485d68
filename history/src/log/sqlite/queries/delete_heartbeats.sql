-- Deletion: what `heartbeats` holds of a run.
DELETE FROM heartbeats WHERE run = ?1
