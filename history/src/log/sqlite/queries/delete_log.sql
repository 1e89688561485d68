-- Deletion: what `log` holds of a run.
DELETE FROM log WHERE run = ?1
