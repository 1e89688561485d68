-- Version 3: by what runs are found beside their row.

-- Who has worked on a run, a line for each: searched only together with what an index serves.
ALTER TABLE runs ADD COLUMN workers TEXT NOT NULL DEFAULT '';

-- A row for each value of a search attribute of a run: written at its start, upsert and whatever else changes them. `attribute` stands for
-- namespace, name and type, `value` is in the order of the values. A reading of the log: it can be made anew.
CREATE TABLE search (
    attribute BLOB NOT NULL,
    value BLOB NOT NULL,
    run BLOB NOT NULL,
    -- list, count: the runs with a value, or with one of a range.
    PRIMARY KEY (attribute, value, run)
) WITHOUT ROWID;

-- A change and a deletion: what a run is found by.
CREATE INDEX search_run ON search (run);

-- What the planner is to believe, instead of counting: few runs have a value.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('search', 'search', '1000000 100000 20 1'),
    ('search', 'search_run', '1000000 4');
ANALYZE sqlite_schema;
