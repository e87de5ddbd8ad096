-- Hour records of the records that start in a part of a day.
INSERT INTO hours (day, attempt, unit, holder, reason, start_ms, end_ms, lost, unhealthy_ms, unallocated_ms, idle_ms,
    unmeasured_ms, busy_ms, sm_active_ms, sm_known_ms, energy_mj, energy_known_ms)
SELECT toUInt32(@day), toUInt64(@attempt), unit, holder, reason, min(start_ms), max(end_ms), toUInt32(countIf(loses = 1)),
    sumIf(unhealthy_ms, loses = 0), sumIf(unallocated_ms, loses = 0), sumIf(idle_ms, loses = 0), sumIf(unmeasured_ms, loses = 0),
    sumIf(busy_ms, loses = 0), sumIf(sm_active_ms, loses = 0), sumIf(sm_known_ms, loses = 0), sumIf(energy_mj, loses = 0),
    sumIf(energy_known_ms, loses = 0)
FROM (
    SELECT r.unit AS unit, r.holder AS holder, r.reason AS reason, r.start_ms AS start_ms, r.end_ms AS end_ms,
        intDiv(start_ms, 3600000) AS hour, end_ms > (hour + 1) * 3600000 AS over,
        (r.unit, agent, epoch, seq, r.start_ms) IN (SELECT unit, agent, epoch, seq, start_ms FROM lost) AS loses,
        r.unhealthy_ms AS unhealthy_ms, r.unallocated_ms AS unallocated_ms, r.idle_ms AS idle_ms, r.unmeasured_ms AS unmeasured_ms,
        r.busy_ms AS busy_ms, r.sm_active_ms AS sm_active_ms, r.sm_known_ms AS sm_known_ms, r.energy_mj AS energy_mj,
        r.energy_known_ms AS energy_known_ms
    FROM batches FINAL
    ARRAY JOIN records AS r
    WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
        AND from_ms < @to AND to_ms > @from
        AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
        AND r.start_ms >= @from AND r.start_ms < @to
)
GROUP BY unit, holder, reason, hour, over, loses
