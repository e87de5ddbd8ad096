-- Of each partition that is asked for and each unit and day: from the first
-- start to the last end.
SELECT month, long, r.unit AS unit, min(r.start_ms), max(r.end_ms)
FROM batches
ARRAY JOIN records AS r
WHERE month IN (SELECT month FROM asked) AND (month, long) IN (SELECT month, long FROM asked)
GROUP BY month, long, unit, intDiv(r.start_ms, 86400000)
