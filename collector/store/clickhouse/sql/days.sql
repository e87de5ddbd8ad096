SELECT r.unit AS unit, agent, epoch, min(r.start_ms), max(r.end_ms)
FROM batches
ARRAY JOIN records AS r
WHERE (long = 1 OR day IN (SELECT day FROM asked_days)) AND from_ms < @to AND to_ms > @from
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
    AND r.start_ms < @to AND r.end_ms > @from
GROUP BY unit, agent, epoch, intDiv(r.start_ms, 86400000)
