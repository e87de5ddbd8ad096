-- Hours that are gone, as few spans.
SELECT unit, min(from_hour), max(to_hour)
FROM (
    SELECT *, sum(starts) OVER (PARTITION BY unit ORDER BY from_hour, to_hour ROWS UNBOUNDED PRECEDING) AS span
    FROM (
        SELECT unit, from_hour, to_hour,
            CASE WHEN from_hour <= lag(to_hour) OVER (PARTITION BY unit ORDER BY from_hour, to_hour) THEN 0 ELSE 1 END AS starts
        FROM pruned_hours
    )
)
GROUP BY unit, span
ORDER BY unit, 2
