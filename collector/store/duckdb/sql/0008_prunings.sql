-- Version 8: what was let go of. From here on hour records may be all that is
-- left of an hour: no later version can make all of them anew.

-- A row for each transaction that took records away. The rows of the tables
-- below have its number.
CREATE TABLE prunings (
    id        INTEGER NOT NULL,
    at_ms     BIGINT  NOT NULL,
    from_hour INTEGER NOT NULL, -- of the hours that went
    to_hour   INTEGER NOT NULL,
    digest    BLOB    NOT NULL  -- of what is left of them, see prune_seal.go
);

-- Hours of units whose records are gone, [from_hour, to_hour).
CREATE TABLE pruned_hours (
    pruning   INTEGER NOT NULL,
    unit      INTEGER NOT NULL,
    from_hour INTEGER NOT NULL,
    to_hour   INTEGER NOT NULL
);

-- The span that the records covered which one stream had of a unit.
CREATE TABLE pruned_courses (
    pruning INTEGER NOT NULL,
    unit    INTEGER NOT NULL,
    stream  INTEGER NOT NULL,
    from_ms BIGINT  NOT NULL,
    to_ms   BIGINT  NOT NULL,
    records BIGINT  NOT NULL
);

-- Batches that are gone: consecutive numbers of a stream, both inclusive.
CREATE TABLE pruned_batches (
    pruning   INTEGER NOT NULL,
    stream    INTEGER NOT NULL,
    lo        UBIGINT NOT NULL,
    hi        UBIGINT NOT NULL,
    prev_hash BLOB,             -- what the first named as the hash of the batch before; NULL if nothing
    hash      BLOB    NOT NULL, -- of the last
    digests   BLOB    NOT NULL  -- SHA-256 over their hashes and digests, in order
);

-- Records that came for an hour of a unit that was gone.
CREATE TABLE late (
    unit   INTEGER NOT NULL,
    hour   INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq    UBIGINT NOT NULL
);
