-- What a pruning makes of the batches that go: of each hour of a feed and node
-- one, with a record for each unit, holder and reason that is as long as the hour.
INSERT INTO batches (agent, epoch, seq, hash, evidence, node, node_name, interval_ms, from_ms, to_ms, day, part, merged, merged_records,
    records.unit, records.holder, records.reason, records.start_ms, records.end_ms,
    records.unhealthy_ms, records.unallocated_ms, records.idle_ms, records.unmeasured_ms, records.busy_ms,
    records.sm_active_ms, records.sm_known_ms, records.energy_mj, records.energy_known_ms)
SELECT agent, epoch, lo, SHA256(concat(agent, epoch, toString(node), toString(hour), toString(@pruning))), evidence, node, name, interval_ms,
    hour * 3600000, (hour + 1) * 3600000, toUInt32(@day), toUInt64(@pruning), toUInt32(batches), toUInt32(records),
    units, holders, reasons, arrayMap(x -> hour * 3600000, units), arrayMap(x -> (hour + 1) * 3600000, units),
    unhealthy, unallocated, idle, unmeasured, busy, sm_active, sm_known, energy, energy_known
FROM (
    SELECT agent, epoch, node, hour, any(source) AS evidence, any(name) AS name, max(ms) AS interval_ms,
        groupArray(unit) AS units, groupArray(holder) AS holders, groupArray(reason) AS reasons,
        groupArray(toUInt32(a)) AS unhealthy, groupArray(toUInt32(b)) AS unallocated, groupArray(toUInt32(c)) AS idle,
        groupArray(toUInt32(d)) AS unmeasured, groupArray(toUInt32(e)) AS busy, groupArray(toUInt32(f)) AS sm_active,
        groupArray(toUInt32(g)) AS sm_known, groupArray(toUInt64(h)) AS energy, groupArray(toUInt32(i)) AS energy_known
    FROM (
        SELECT agent, epoch, node, intDiv(from_ms, 3600000) AS hour, r.unit AS unit, r.holder AS holder, r.reason AS reason,
            any(evidence) AS source, any(node_name) AS name, max(interval_ms) AS ms,
            sum(r.unhealthy_ms) AS a, sum(r.unallocated_ms) AS b, sum(r.idle_ms) AS c, sum(r.unmeasured_ms) AS d, sum(r.busy_ms) AS e,
            sum(r.sm_active_ms) AS f, sum(r.sm_known_ms) AS g, sum(r.energy_mj) AS h, sum(r.energy_known_ms) AS i
        FROM batches FINAL
        ARRAY JOIN records AS r
        WHERE day = @day AND day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
            AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
            AND part != 1 AND merged = 0
            AND (agent, epoch, node, intDiv(from_ms, 3600000)) IN (SELECT agent, epoch, node, hour FROM going)
        GROUP BY agent, epoch, node, hour, unit, holder, reason
    )
    GROUP BY agent, epoch, node, hour
) AS found
ANY INNER JOIN (SELECT agent, epoch, node, hour, lo, batches, records FROM going) AS asked USING (agent, epoch, node, hour)
