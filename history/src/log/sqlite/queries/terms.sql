-- By what a run is found.
SELECT attribute, value FROM search WHERE run = ?1 ORDER BY attribute, value
