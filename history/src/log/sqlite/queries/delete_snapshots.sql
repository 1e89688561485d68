-- Deletion: what `snapshots` holds of a run.
DELETE FROM snapshots WHERE run = ?1
