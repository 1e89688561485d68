-- Nodes that were not heard of for a long time.
DELETE FROM nodes WHERE beat < (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint - $1
