-- The numbers of each feed in the partitions that are asked for, whether there
-- are several contents of one, and how many rows; apart what was received before
-- what counts.
SELECT day, part, agent, epoch, toUInt8(part != 0 OR received_ms >= @since) AS counts,
    min(seq), toUInt64(max(seq + greatest(merged, 1)) - 1), toUInt8(uniqExact(seq, hash) > uniqExact(seq)), count()
FROM batches
WHERE day IN (SELECT day FROM asked) AND (day, part) IN (SELECT day, part FROM asked)
GROUP BY day, part, agent, epoch, counts
