-- Records of the audited batches, whose starts lie in [from, to].
SELECT stream, seq, unit, holder, reason, start_ms, end_ms, unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms,
    sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
FROM store.main.records
SEMI JOIN temp.main.audited USING (stream, seq)
WHERE start_ms >= $from AND start_ms <= $to
