-- Replaces the register of an activity.
INSERT OR REPLACE INTO heartbeats (run, scheduled_event_id, details) VALUES (?1, ?2, ?3)
