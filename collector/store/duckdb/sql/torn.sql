-- Hours of units into which a record crosses from the hour before, whether or
-- not it owns its time.
SELECT DISTINCT unit, start_ms // 3600000 + 1
FROM store.main.records
WHERE start_ms >= $from AND start_ms < $to AND start_ms // 3600000 <> (end_ms - 1) // 3600000
