-- A run is found by a value of an attribute.
INSERT INTO search (attribute, value, run) VALUES (?1, ?2, ?3)
