-- The claims in disputed time.
SELECT DISTINCT unit, agent, epoch, evidence, seq, start_ms, end_ms
FROM (
    SELECT r.unit AS unit, agent, epoch, evidence, seq, r.start_ms AS start_ms, r.end_ms AS end_ms
    FROM batches
    ARRAY JOIN records AS r
    WHERE (long = 1 OR day IN (SELECT day FROM asked_days)) AND from_ms < @to AND to_ms > @from
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM disputed) AS asked USING (unit)
WHERE start_ms < hi AND end_ms > lo
