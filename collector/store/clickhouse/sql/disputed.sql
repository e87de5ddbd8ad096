-- The claims in disputed time. Merged batches own theirs.
SELECT DISTINCT unit, agent, epoch, evidence, seq, start_ms, end_ms, fixed
FROM (
    SELECT r.unit AS unit, agent, epoch, evidence, seq, r.start_ms AS start_ms, r.end_ms AS end_ms, toUInt8(merged > 0) AS fixed
    FROM batches
    ARRAY JOIN records AS r
    WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
        AND from_ms < @to AND to_ms > @from
        AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM disputed) AS asked USING (unit)
WHERE start_ms < hi AND end_ms > lo
