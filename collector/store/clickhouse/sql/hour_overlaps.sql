-- Records left out of hour records because they do not own their time.
SELECT sum(lost)
FROM (
    SELECT unit, start_ms, end_ms, lost
    FROM hours
    WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
        AND lost > 0 AND start_ms >= @from AND end_ms <= @to
        AND (unit, intDiv(start_ms, 3600000)) NOT IN (SELECT unit, hour FROM rough)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM asked_spans) AS asked USING (unit)
WHERE start_ms >= lo AND end_ms <= hi
