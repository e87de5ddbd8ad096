-- Of the records that are read one by one, those left out of the answer because
-- they do not own their time.
SELECT count(DISTINCT r.id)
FROM temp.main.read_lost r
JOIN temp.main.asked_spans s
    ON r.unit = s.unit
    AND greatest(r.start_ms, s.from_ms, $from) < least(r.end_ms, s.to_ms, $to)
