-- What a pruning leaves of a day as it is.
INSERT INTO batches (agent, epoch, seq, hash, prev_hash, evidence, node, node_name, received_ms, interval_ms, clock_offset_ms,
    from_ms, to_ms, day, part, merged, merged_records,
    records.unit, records.holder, records.reason, records.start_ms, records.end_ms,
    records.unhealthy_ms, records.unallocated_ms, records.idle_ms, records.unmeasured_ms, records.busy_ms,
    records.sm_active_ms, records.sm_known_ms, records.energy_mj, records.energy_known_ms,
    events.at_ms, events.kind, events.gpu, events.value, events.detail)
SELECT agent, epoch, seq, hash, prev_hash, evidence, node, node_name, received_ms, interval_ms, clock_offset_ms,
    from_ms, to_ms, day, toUInt64(@pruning), merged, merged_records,
    records.unit, records.holder, records.reason, records.start_ms, records.end_ms,
    records.unhealthy_ms, records.unallocated_ms, records.idle_ms, records.unmeasured_ms, records.busy_ms,
    records.sm_active_ms, records.sm_known_ms, records.energy_mj, records.energy_known_ms,
    events.at_ms, events.kind, events.gpu, events.value, events.detail
FROM batches FINAL
WHERE day = @day AND day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
    AND part != 1 AND (part > 1 OR received_ms < @since)
    AND (merged > 0 OR (agent, epoch, node, intDiv(from_ms, 3600000)) NOT IN (SELECT agent, epoch, node, hour FROM going))
