-- Days of a unit in which it was seen healthy throughout, as one row each, and
-- every window of the other days. Windows that own their time do not overlap:
-- a day is whole if their healthy time is as long as from the first to the last.
WITH days AS (
    SELECT unit, start_ms // 86400000 AS day, min(start_ms) AS from_ms, max(end_ms) AS to_ms,
        sum(unallocated_ms + idle_ms + unmeasured_ms + busy_ms)::BIGINT AS healthy_ms
    FROM temp.main.counted
    WHERE end_ms > $from AND start_ms < $to
    GROUP BY unit, day
)
SELECT unit, from_ms, to_ms, healthy_ms, 0::BIGINT AS unhealthy_ms, '' AS fault, '' AS missing
FROM days
WHERE healthy_ms = to_ms - from_ms
UNION ALL
SELECT r.unit, r.start_ms, r.end_ms,
    sum(r.unallocated_ms + r.idle_ms + r.unmeasured_ms + r.busy_ms)::BIGINT, sum(r.unhealthy_ms)::BIGINT,
    coalesce(min(x.reason) FILTER (WHERE r.unhealthy_ms > 0 AND x.reason <> ''), ''),
    coalesce(min(x.reason) FILTER (WHERE r.unhealthy_ms = 0 AND x.reason <> ''), '')
FROM temp.main.counted r
JOIN store.main.reasons x ON x.id = r.reason
SEMI JOIN (SELECT unit, day FROM days WHERE healthy_ms <> to_ms - from_ms) d
    ON d.unit = r.unit AND d.day = r.start_ms // 86400000
WHERE r.end_ms > $from AND r.start_ms < $to
GROUP BY r.unit, r.start_ms, r.end_ms
ORDER BY 1, 2
