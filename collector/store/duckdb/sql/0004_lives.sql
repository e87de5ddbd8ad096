-- Version 4: when a collector ran. A row for each sign of life.
CREATE TABLE lives (
    start_ms BIGINT NOT NULL, -- when it started
    beat_ms  BIGINT NOT NULL  -- when it still ran
);
