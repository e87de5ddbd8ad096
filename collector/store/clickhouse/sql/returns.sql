-- Of each block of 4096 numbers of a feed: its span, and for every two batches
-- that are neighbours by their starts and overlap, the span of both.
SELECT agent, epoch, lo, hi,
    arrayMap(p -> p.1, twice) AS twice_from,
    arrayMap(p -> p.2, twice) AS twice_to
FROM (
    SELECT agent, epoch, lo, hi,
        arrayFilter(p -> p.3 = 1, arrayMap((a, b) -> (a.2, greatest(a.3, b.3), a.3 > b.2),
            arrayPopBack(spans), arrayPopFront(spans))) AS twice
    FROM (
        SELECT agent, epoch, min(from_ms) AS lo, max(to_ms) AS hi,
            arraySort(x -> x.2, groupUniqArray((seq, from_ms, to_ms))) AS spans
        FROM batches
        WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
            AND from_ms < @to AND to_ms > @from
            AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        GROUP BY agent, epoch, intDiv(seq, 4096)
    )
)
