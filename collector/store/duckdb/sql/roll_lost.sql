-- How many of the records that are read do not own their time.
SELECT unit, start_ms // 3600000 AS hour, count(*)
FROM temp.main.read_lost
GROUP BY unit, hour
