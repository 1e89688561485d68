-- Forgets the register of an activity.
DELETE FROM heartbeats WHERE run = ?1 AND scheduled_event_id = ?2
