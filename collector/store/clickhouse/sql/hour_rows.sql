-- How many hour records there are of each attempt.
SELECT partition, sum(rows)
FROM system.parts
WHERE active AND database = currentDatabase() AND table = 'hours'
GROUP BY partition
