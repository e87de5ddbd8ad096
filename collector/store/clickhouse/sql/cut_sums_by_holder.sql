-- Of the hour records that lie wholly inside one span and one slot, by holder, those of
-- hours that an edge cuts, and of slots in which a span of the unit begins or ends.
SELECT key, slot, holder,
    sum(unhealthy_ms), sum(unallocated_ms), sum(idle_ms), sum(unmeasured_ms), sum(busy_ms),
    sum(sm_active_ms), sum(sm_known_ms), sum(energy_mj), sum(energy_known_ms)
FROM (
    SELECT key, intDiv(start_ms, @width) AS bucket, start_ms, end_ms, holder,
        unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms,
        sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
    FROM (
        SELECT unit, holder, start_ms, end_ms, unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms,
            sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
        FROM hours
        WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
            AND lost = 0 AND start_ms >= @from AND end_ms <= @to
            AND (unit, intDiv(start_ms, 3600000)) NOT IN (SELECT unit, hour FROM rough)
            AND ((unit, transform(intDiv(start_ms, 3600000), (SELECT groupArray(hour) FROM hour_slots), (SELECT groupArray(slot) FROM hour_slots), toInt64(-1))) IN (SELECT unit, slot FROM split) OR intDiv(start_ms, 3600000) NOT IN (SELECT hour FROM hour_slots))
    ) AS found
    ALL INNER JOIN (SELECT unit, lo, hi, key FROM asked_spans) AS asked USING (unit)
    WHERE start_ms >= lo AND end_ms <= hi
) AS found
ALL INNER JOIN (SELECT bucket, from_ms, to_ms, slot FROM asked_slots) AS asked USING (bucket)
WHERE start_ms >= from_ms AND end_ms <= to_ms
GROUP BY key, slot, holder
