-- The numbers of each feed in the partitions that are asked for, whether there
-- are several contents of one, and how many rows.
SELECT day, long, agent, epoch, min(seq), max(seq), toUInt8(uniqExact(seq, hash) > uniqExact(seq)), count()
FROM batches
WHERE day IN (SELECT day FROM asked) AND (day, long) IN (SELECT day, long FROM asked)
GROUP BY day, long, agent, epoch
