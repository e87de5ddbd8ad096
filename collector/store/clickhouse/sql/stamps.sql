-- What names the rows of each partition: they change only with its parts. The
-- look at batches, which reads nothing, fails on a replica that lags behind.
SELECT partition, sipHash64(toString(arraySort(groupArray(name)))) AS stamp, sum(rows)
FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'batches'
    AND (SELECT count() FROM batches WHERE day = 1) = 0
GROUP BY partition
