-- The temporary tables of one question. bucket numbers equal pieces of time: a
-- slot has a row for every bucket that it touches, so that a record finds its
-- slot by equality. A cell is a key, a slot and a group in one number, and is
-- the sum of their parts of it.
CREATE OR REPLACE TEMP TABLE asked_spans (unit INTEGER, from_ms BIGINT, to_ms BIGINT, cell BIGINT);
CREATE OR REPLACE TEMP TABLE asked_slots (bucket BIGINT, from_ms BIGINT, to_ms BIGINT, cell BIGINT);
CREATE OR REPLACE TEMP TABLE asked_groups (holder INTEGER, cell BIGINT);
-- The same spans and slots in full hours, and the hours of units that are read
-- record by record.
CREATE OR REPLACE TEMP TABLE asked_span_hours (unit INTEGER, from_hour INTEGER, to_hour INTEGER, cell BIGINT);
CREATE OR REPLACE TEMP TABLE asked_slot_hours (bucket INTEGER, from_hour INTEGER, to_hour INTEGER, cell BIGINT);
CREATE OR REPLACE TEMP TABLE asked_minutes (unit INTEGER, hour INTEGER);
CREATE OR REPLACE TEMP TABLE contested (gpu INTEGER, unit INTEGER, stream INTEGER, rank INTEGER, from_ms BIGINT, to_ms BIGINT);
CREATE OR REPLACE TEMP TABLE lost (unit INTEGER, stream INTEGER, seq UBIGINT, start_ms BIGINT);
-- The hours of units whose records are gone: those in contested time, and those
-- that an edge cuts.
CREATE OR REPLACE TEMP TABLE contested_gone (gpu INTEGER, unit INTEGER, from_ms BIGINT, to_ms BIGINT);
CREATE OR REPLACE TEMP TABLE asked_gone (unit INTEGER, hour INTEGER);
