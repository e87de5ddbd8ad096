-- The same of hour records, which know no partitions.
SELECT unit, min(start_ms), max(end_ms)
FROM hours
WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
GROUP BY unit, intDiv(start_ms, 86400000)
