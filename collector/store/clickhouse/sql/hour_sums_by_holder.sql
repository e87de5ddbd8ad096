-- Of the other hour records, by what is known of an hour: its slot. They are
-- added up by unit and slot and holder before it is looked where these belong.
SELECT key, slot, holder,
    sum(unhealthy), sum(unallocated), sum(idle), sum(unmeasured), sum(busy),
    sum(sm_active), sum(sm_known), sum(energy), sum(energy_known)
FROM (
    SELECT slot, holder, key, lo, hi, unhealthy, unallocated, idle, unmeasured, busy, sm_active, sm_known, energy, energy_known
    FROM (
        SELECT unit, holder, transform(intDiv(start_ms, 3600000), (SELECT groupArray(hour) FROM hour_slots), (SELECT groupArray(slot) FROM hour_slots), toInt64(-1)) AS slot,
            sum(unhealthy_ms) AS unhealthy, sum(unallocated_ms) AS unallocated, sum(idle_ms) AS idle, sum(unmeasured_ms) AS unmeasured, sum(busy_ms) AS busy,
            sum(sm_active_ms) AS sm_active, sum(sm_known_ms) AS sm_known, sum(energy_mj) AS energy, sum(energy_known_ms) AS energy_known
        FROM hours
        WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used)
            AND lost = 0 AND start_ms >= @from AND end_ms <= @to
            AND (unit, intDiv(start_ms, 3600000)) NOT IN (SELECT unit, hour FROM rough)
        GROUP BY unit, slot, holder
    ) AS found
    ALL INNER JOIN (SELECT unit, lo, hi, key FROM asked_spans) AS asked USING (unit)
    WHERE slot >= 0
        AND (unit, slot) NOT IN (SELECT unit, slot FROM split)
) AS found
ALL INNER JOIN (SELECT slot, from_ms, to_ms FROM slot_spans) AS asked USING (slot)
WHERE from_ms >= lo AND to_ms <= hi
GROUP BY key, slot, holder
