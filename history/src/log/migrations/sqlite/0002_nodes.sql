-- Version 2: the processes that serve a database.

-- A node writes its row about once a second; by `beat`, on the clock of the database, the others judge whether it lives.
-- Nobody's right to write hangs on it: that is the epoch of a shard. `address` is where other nodes reach it, `started`
-- since when this process has the name.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    started INTEGER NOT NULL,
    leaving INTEGER NOT NULL,
    beat INTEGER NOT NULL
) WITHOUT ROWID;
