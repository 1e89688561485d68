-- Inserts a namespace, or replaces the one with its id if that is still as it was read; a name that belongs to another is an error.
INSERT INTO namespaces (id, name, record) VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, record = excluded.record
WHERE namespaces.record = ?4
