-- The numbers of each feed in the partitions that are asked for, and whether
-- there are several contents of one.
SELECT day, long, agent, epoch, min(seq), max(seq), toUInt8(uniqExact(seq, hash) > uniqExact(seq))
FROM batches
WHERE day IN (SELECT day FROM asked) AND (day, long) IN (SELECT day, long FROM asked)
GROUP BY day, long, agent, epoch
