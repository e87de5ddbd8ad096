-- Days of a unit: from the first window that starts in it to the end of the
-- last, and how long it was seen healthy.
SELECT r.unit AS unit, intDiv(r.start_ms, 86400000) AS date, min(r.start_ms), max(r.end_ms),
    sum(r.unallocated_ms + r.idle_ms + r.unmeasured_ms + r.busy_ms)
FROM batches FINAL
ARRAY JOIN records AS r
WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
    AND from_ms < @to AND to_ms > @from
    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
    AND r.start_ms < @to AND r.end_ms > @from
    AND (r.unit, agent, epoch, seq, r.start_ms) NOT IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)
GROUP BY unit, date
