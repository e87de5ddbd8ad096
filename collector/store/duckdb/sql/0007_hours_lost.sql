-- Version 7: how many records of an hour that hour records tell do not own
-- their time. Hour records are made anew.
CREATE TABLE hours_lost (
    unit    INTEGER NOT NULL,
    hour    INTEGER NOT NULL,
    records INTEGER NOT NULL
);
DELETE FROM hours;
DELETE FROM rough;
UPDATE meta SET rolled_hour = 0;
