-- Does the database answer?
SELECT count(*) FROM settings
