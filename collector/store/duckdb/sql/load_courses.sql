-- Records whose starts lie in one day are less than a day of silence apart, so
-- that the day's first start and last end are all there is to know.
SELECT unit, stream, min(start_ms), max(end_ms), count(*)
FROM records
GROUP BY unit, stream, start_ms // 86400000
ORDER BY unit, stream, 3
