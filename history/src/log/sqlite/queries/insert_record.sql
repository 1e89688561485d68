-- Appends a record. A second one with the same key is an error, never a replacement.
INSERT INTO log (run, first_event_id, seq, epoch, time, event_count, chain, changes, events)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
