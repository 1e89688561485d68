-- Replaces registers of activities.
INSERT INTO heartbeats (run, scheduled_event_id, details)
SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[])
ON CONFLICT (run, scheduled_event_id) DO UPDATE SET details = excluded.details
