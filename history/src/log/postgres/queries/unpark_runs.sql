-- Removes all that is parked for runs.
DELETE FROM parked WHERE run = ANY($1)
