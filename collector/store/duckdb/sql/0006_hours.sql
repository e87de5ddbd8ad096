-- Version 6: hour records beside the records that they are made of.
-- What the owners' records say of a unit that lie wholly within one hour, for
-- each holder and reason. hour is start_ms // 3600000.
CREATE TABLE hours (
    unit            INTEGER NOT NULL,
    hour            INTEGER NOT NULL,
    holder          INTEGER NOT NULL,
    reason          INTEGER NOT NULL,
    unhealthy_ms    INTEGER NOT NULL,
    unallocated_ms  INTEGER NOT NULL,
    idle_ms         INTEGER NOT NULL,
    unmeasured_ms   INTEGER NOT NULL,
    busy_ms         INTEGER NOT NULL,
    sm_active_ms    INTEGER NOT NULL,
    sm_known_ms     INTEGER NOT NULL,
    energy_mj       BIGINT  NOT NULL,
    energy_known_ms INTEGER NOT NULL
);

-- Hours of units that hour records do not tell, though they are made for the
-- hours around: records have come since, or one of them crosses a full hour.
CREATE TABLE rough (
    unit INTEGER NOT NULL,
    hour INTEGER NOT NULL
);

-- Hours before this one are told by hour records, but for rough ones.
ALTER TABLE meta ADD COLUMN rolled_hour INTEGER DEFAULT 0;
