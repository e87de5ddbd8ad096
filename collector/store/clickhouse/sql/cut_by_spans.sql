-- Hours of units of which the start or the end of a span cuts an hour record.
SELECT DISTINCT unit, hour
FROM (
    SELECT unit, intDiv(start_ms, 3600000) AS hour, start_ms, end_ms
    FROM hours
    WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
        AND (unit, intDiv(start_ms, 3600000)) IN (SELECT unit, hour FROM hour_ends)
) AS found
ALL INNER JOIN (SELECT unit, hour, edge FROM hour_ends) AS asked USING (unit, hour)
WHERE start_ms < edge AND end_ms > edge
