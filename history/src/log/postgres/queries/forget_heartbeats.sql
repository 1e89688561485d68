-- Forgets registers of activities.
DELETE FROM heartbeats USING unnest($1::bytea[], $2::bigint[]) AS old (run, scheduled_event_id)
WHERE heartbeats.run = old.run AND heartbeats.scheduled_event_id = old.scheduled_event_id
