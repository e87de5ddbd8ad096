SELECT r.unit AS unit, agent, epoch, min(r.start_ms), max(r.end_ms)
FROM batches
ARRAY JOIN records AS r
WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
    AND from_ms < @to AND to_ms > @from
    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
    AND r.start_ms < @to AND r.end_ms > @from
GROUP BY unit, agent, epoch, intDiv(r.start_ms, 86400000)
