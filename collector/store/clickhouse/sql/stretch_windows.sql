-- Every window of the days with a lapse.
SELECT r.unit AS unit, r.start_ms AS start_ms, r.end_ms AS end_ms,
    sum(r.unallocated_ms + r.idle_ms + r.unmeasured_ms + r.busy_ms), sum(r.unhealthy_ms),
    minIf(r.reason, r.unhealthy_ms > 0 AND r.reason != ''), minIf(r.reason, r.unhealthy_ms = 0 AND r.reason != '')
FROM batches FINAL
ARRAY JOIN records AS r
WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
    AND from_ms < @to AND to_ms > @from
    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
    AND r.start_ms < @to AND r.end_ms > @from
    AND (r.unit, agent, epoch, seq, r.start_ms) NOT IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)
    AND (r.unit, intDiv(r.start_ms, 86400000)) IN (SELECT unit, day FROM lapsed)
GROUP BY unit, start_ms, end_ms
