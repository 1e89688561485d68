-- The heartbeat registers of a run.
SELECT scheduled_event_id, details FROM heartbeats WHERE run = $1 ORDER BY scheduled_event_id
