-- Version 9: days that are written as files too. A row for each day of UTC and
-- each time it was written: without records that went since, it is written
-- anew.
CREATE TABLE days (
    day      INTEGER NOT NULL, -- since 1970
    edition  INTEGER NOT NULL, -- from 0
    sha256   BLOB    NOT NULL, -- of its day.json
    -- How much of each table the days up to this one have: ids, and rows of
    -- tables that none is taken away from.
    nodes     BIGINT NOT NULL,
    units     BIGINT NOT NULL,
    streams   BIGINT NOT NULL,
    holders   BIGINT NOT NULL,
    reasons   BIGINT NOT NULL,
    documents BIGINT NOT NULL,
    lives     BIGINT NOT NULL
);
