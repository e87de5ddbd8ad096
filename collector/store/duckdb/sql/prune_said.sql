-- Which batches speak of which hours.
CREATE OR REPLACE TEMP TABLE said AS
SELECT DISTINCT unit, (start_ms // 3600000)::INTEGER AS hour, stream, seq
FROM store.main.records
WHERE start_ms >= $from_ms AND start_ms < $to_ms
