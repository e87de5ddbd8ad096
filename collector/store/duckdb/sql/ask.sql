-- The temporary tables of one question. bucket numbers equal pieces of time: a
-- slot has a row for every bucket that it touches, so that a record finds its
-- slot by equality.
CREATE TEMP TABLE asked_spans (unit INTEGER, from_ms BIGINT, to_ms BIGINT, key BIGINT);
CREATE TEMP TABLE asked_slots (bucket BIGINT, from_ms BIGINT, to_ms BIGINT, slot BIGINT);
CREATE TEMP TABLE contested (gpu INTEGER, unit INTEGER, stream INTEGER, rank INTEGER, from_ms BIGINT, to_ms BIGINT);
CREATE TEMP TABLE lost (unit INTEGER, stream INTEGER, seq UBIGINT, start_ms BIGINT);
CREATE TEMP TABLE asked_groups (holder INTEGER, grp INTEGER);
