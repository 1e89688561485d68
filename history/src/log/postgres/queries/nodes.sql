-- Who was heard of when, and what time it is.
SELECT id, address, started, leaving, beat, (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint FROM nodes ORDER BY id
