-- Stores a value unless there is one.
INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING
