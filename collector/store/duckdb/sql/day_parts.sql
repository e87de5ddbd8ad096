-- The batches that were received on a day, what was pruned on it, and the hours
-- that only hour records tell since.
CREATE OR REPLACE TEMP TABLE day_batches AS
SELECT stream, seq, from_ms, to_ms FROM store.main.batches WHERE received_ms >= $day_from AND received_ms < $day_to;
CREATE OR REPLACE TEMP TABLE day_prunings AS
SELECT id FROM store.main.prunings WHERE at_ms >= $day_from AND at_ms < $day_to;
CREATE OR REPLACE TEMP TABLE day_hours AS
SELECT unit, unnest(range(from_hour, to_hour))::INTEGER AS hour
FROM store.main.pruned_hours
WHERE pruning IN (SELECT id FROM temp.main.day_prunings)
