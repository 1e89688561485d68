-- What each connection must have, whatever the server, the database or the role has been given as a default.
-- A commit waits until it is on the disk (and on the synchronous standby, if there is one). A node that is paused in the
-- middle of a transaction holds up a takeover no longer than five seconds. Nothing may cancel a commit that waits.
SET synchronous_commit = on;
SET default_transaction_isolation = 'read committed';
SET idle_in_transaction_session_timeout = '5s';
SET statement_timeout = 0;
SET client_min_messages = warning;
