-- A value of the database itself.
SELECT value FROM settings WHERE name = ?1
