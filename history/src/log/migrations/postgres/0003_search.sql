-- Version 3: by what runs are found beside their row.

-- Who has worked on a run, a line for each: searched only together with what an index serves.
ALTER TABLE runs ADD COLUMN workers bytea NOT NULL DEFAULT '';

-- A row for each value of a search attribute of a run: written at its start, upsert and whatever else changes them. `attribute` stands for
-- namespace, name and type, `value` is in the order of the values. A reading of the log: it can be made anew.
CREATE TABLE search (
    attribute bytea NOT NULL,
    value bytea NOT NULL,
    run bytea NOT NULL,
    -- list, count: the runs with a value, or with one of a range.
    PRIMARY KEY (attribute, value, run)
);

-- A change and a deletion: what a run is found by.
CREATE INDEX search_run ON search (run);
