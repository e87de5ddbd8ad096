-- Records left out of the answer because they do not own their time.
SELECT uniqExact(agent, epoch, seq, place)
FROM (
    SELECT agent, epoch, seq, place, r.unit AS unit, r.start_ms AS start_ms, r.end_ms AS end_ms
    FROM batches
    ARRAY JOIN records AS r, arrayEnumerate(records.unit) AS place
    WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
        AND from_ms < @to AND to_ms > @from
        AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
        AND ((r.unit, intDiv(r.start_ms, 3600000)) IN (SELECT unit, hour FROM rough) OR intDiv(r.start_ms, 3600000) NOT IN (SELECT hour FROM told))
        AND (r.unit, agent, epoch, seq, r.start_ms) IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM asked_spans) AS asked USING (unit)
WHERE greatest(greatest(start_ms, lo), @from) < least(least(end_ms, hi), @to)
