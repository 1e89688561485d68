-- Who was heard of when.
SELECT id, address, started, leaving, beat FROM nodes ORDER BY id
