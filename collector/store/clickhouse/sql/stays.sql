-- Of each partition that is asked for and each unit and day: from the first
-- start to the last end.
SELECT day, part, r.unit AS unit, min(r.start_ms), max(r.end_ms)
FROM batches
ARRAY JOIN records AS r
WHERE day IN (SELECT day FROM asked) AND (day, part) IN (SELECT day, part FROM asked)
GROUP BY day, part, unit, intDiv(r.start_ms, 86400000)
