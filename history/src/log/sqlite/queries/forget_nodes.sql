-- Nodes that were not heard of for a long time.
DELETE FROM nodes WHERE beat < ?1
