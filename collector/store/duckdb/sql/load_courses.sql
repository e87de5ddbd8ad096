-- Records whose starts lie in one day are less than a day of silence apart, so
-- that the day's first start and last end are all there is to know. So it is
-- with those that are gone. Days that are no longer than that apart are one row.
WITH days AS (
    SELECT unit, stream, min(start_ms) AS from_ms, max(end_ms) AS to_ms, count(*) AS records, 0 AS gone
    FROM records
    GROUP BY unit, stream, start_ms // 86400000
    UNION ALL
    SELECT unit, stream, min(from_ms), max(to_ms), sum(records), sum(records)
    FROM pruned_courses
    GROUP BY unit, stream, from_ms // 86400000
),
marked AS (
    SELECT *, CASE WHEN from_ms - max(to_ms) OVER before <= 86400000 THEN 0 ELSE 1 END AS starts
    FROM days
    WINDOW before AS (PARTITION BY unit, stream ORDER BY from_ms, to_ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
numbered AS (
    SELECT *, sum(starts) OVER (PARTITION BY unit, stream ORDER BY from_ms, to_ms ROWS UNBOUNDED PRECEDING) AS span
    FROM marked
)
SELECT unit, stream, min(from_ms), max(to_ms), sum(records)::BIGINT, sum(gone)::BIGINT
FROM numbered
GROUP BY unit, stream, span
ORDER BY unit, stream, 3
