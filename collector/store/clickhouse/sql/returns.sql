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
        WHERE (long = 1 OR day IN (SELECT day FROM asked_days)) AND from_ms < @to AND to_ms > @from
        GROUP BY agent, epoch, intDiv(seq, 4096)
    )
)
