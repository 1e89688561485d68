-- Removes all that is parked for a run.
DELETE FROM parked WHERE run = ?1
