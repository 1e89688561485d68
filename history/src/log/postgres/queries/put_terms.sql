-- Runs are found by values of attributes.
INSERT INTO search (attribute, value, run) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bytea[])
