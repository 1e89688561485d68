-- Deletion, and what comes in place of it: what runs are found by.
DELETE FROM search WHERE run = ANY($1)
