-- All namespaces, by name.
SELECT id, name, record FROM namespaces ORDER BY name
