-- Deletion: what `runs` holds of a run.
DELETE FROM runs WHERE run = ?1
