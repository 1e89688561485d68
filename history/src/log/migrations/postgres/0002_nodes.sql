-- Version 2: the processes that serve a database.

-- A node writes its row about once a second; by `beat`, on the clock of the database, the others judge whether it lives.
-- Nobody's right to write hangs on it: that is the epoch of a shard. `address` is where other nodes reach it, `started`
-- since when this process has the name.
CREATE TABLE nodes (
    id bytea PRIMARY KEY,
    address bytea NOT NULL,
    started bigint NOT NULL,
    leaving boolean NOT NULL,
    beat bigint NOT NULL
);
