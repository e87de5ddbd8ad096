-- What names the rows of each partition: they change only with its parts.
SELECT partition, sipHash64(toString(arraySort(groupArray(name)))) AS stamp
FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'batches'
GROUP BY partition
