-- Deletion, and what comes in place of it: what a run is found by.
DELETE FROM search WHERE run = ?1
