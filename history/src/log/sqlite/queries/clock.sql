-- What time it is, to the millisecond.
SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000000
