-- The batches of each partition that is asked for by the hour in which they
-- start, those apart that reach into another day: their span, how many rows they
-- are, the sum of hashes of their hashes, how many batches and records they are
-- and stand for, and how many of the records are gone.
SELECT day, part, min(from_ms), max(to_ms), count(), sum(print), sum(greatest(merged, 1)), sum(n), sum(gone)
FROM (
    SELECT day, part, sipHash64(hash) AS print, from_ms, to_ms, merged, merged_records AS gone, if(merged > 0, merged_records, length(records.unit)) AS n
    FROM batches
    WHERE day IN (SELECT day FROM asked) AND (day, part) IN (SELECT day, part FROM asked)
        AND (part != 0 OR received_ms >= @since)
    GROUP BY day, part, print, from_ms, to_ms, merged, gone, n
)
GROUP BY day, part, intDiv(from_ms, 3600000), intDiv(to_ms - 1, 86400000) > intDiv(from_ms, 86400000)
