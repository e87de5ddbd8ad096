-- Records whose starts lie in one day are less than a day of silence apart, so
-- that the day's first start and last end are all there is to know. So it is
-- with those that are gone.
SELECT unit, stream, min(start_ms) AS from_ms, max(end_ms), count(*), 0::BIGINT
FROM records
GROUP BY unit, stream, start_ms // 86400000
UNION ALL
SELECT unit, stream, min(from_ms), max(to_ms), sum(records)::BIGINT, sum(records)::BIGINT
FROM pruned_courses
GROUP BY unit, stream, from_ms // 86400000
ORDER BY unit, stream, from_ms
