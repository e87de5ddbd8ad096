-- Records that overlap an asked span.
SELECT agent, epoch, evidence, seq, place, unit, holder, reason, start_ms, end_ms,
    unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms, sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
FROM (
    SELECT agent, epoch, evidence, seq, place,
        r.unit AS unit, r.holder AS holder, r.reason AS reason, r.start_ms AS start_ms, r.end_ms AS end_ms,
        r.unhealthy_ms AS unhealthy_ms, r.unallocated_ms AS unallocated_ms, r.idle_ms AS idle_ms, r.unmeasured_ms AS unmeasured_ms, r.busy_ms AS busy_ms,
        r.sm_active_ms AS sm_active_ms, r.sm_known_ms AS sm_known_ms, r.energy_mj AS energy_mj, r.energy_known_ms AS energy_known_ms
    FROM batches
    ARRAY JOIN records AS r, arrayEnumerate(records.unit) AS place
    WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
        AND from_ms < @to AND to_ms > @from
        AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
        AND merged = 0 AND r.start_ms < @to AND r.end_ms > @from
        AND (r.unit, agent, epoch, seq, r.start_ms) NOT IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)
) AS found
ALL INNER JOIN (SELECT unit, lo, hi FROM asked_spans) AS asked USING (unit)
WHERE greatest(greatest(start_ms, lo), @from) < least(least(end_ms, hi), @to)
