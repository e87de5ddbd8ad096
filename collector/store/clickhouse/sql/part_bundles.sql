-- The batches of each partition that is asked for by the hour in which they
-- start, those apart that reach into another day: their span, how many they
-- are, the sum of hashes of their hashes, and how many records they have.
SELECT day, long, min(from_ms), max(to_ms), count(), sum(print), sum(n)
FROM (
    SELECT day, long, sipHash64(hash) AS print, from_ms, to_ms, length(records.unit) AS n
    FROM batches
    WHERE day IN (SELECT day FROM asked) AND (day, long) IN (SELECT day, long FROM asked)
    GROUP BY day, long, print, from_ms, to_ms, n
)
GROUP BY day, long, intDiv(from_ms, 3600000), intDiv(to_ms - 1, 86400000) > intDiv(from_ms, 86400000)
