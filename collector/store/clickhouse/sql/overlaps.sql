-- Records left out of the answer because they do not own their time.
SELECT uniqExact(agent, epoch, seq, place)
FROM (
    SELECT agent, epoch, seq, place, r.unit AS unit, r.start_ms AS start_ms, r.end_ms AS end_ms
    FROM batches
    ARRAY JOIN records AS r, arrayEnumerate(records.unit) AS place
    WHERE (long = 1 OR day IN (SELECT day FROM asked_days)) AND from_ms < @to AND to_ms > @from
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
        AND ((r.unit, intDiv(r.start_ms, 3600000)) IN (SELECT unit, hour FROM rough) OR intDiv(r.start_ms, 3600000) NOT IN (SELECT hour FROM told))
        AND (r.unit, agent, epoch, seq, r.start_ms) IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM asked_spans) AS asked USING (unit)
WHERE greatest(greatest(start_ms, lo), @from) < least(least(end_ms, hi), @to)
