-- Hours of units of which an edge cuts an hour record.
SELECT DISTINCT unit, hour
FROM (
    SELECT unit, intDiv(start_ms, 3600000) AS hour, start_ms, end_ms
    FROM hours
    WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
        AND intDiv(start_ms, 3600000) IN (SELECT hour FROM hour_edges)
) AS found
ALL INNER JOIN (SELECT hour, edge FROM hour_edges) AS asked USING (hour)
WHERE start_ms < edge AND end_ms > edge
