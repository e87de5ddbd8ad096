-- Records that overlap a span, each once.
SELECT DISTINCT ON (r.id)
    r.unit, r.stream, r.seq, r.holder, r.reason, r.start_ms, r.end_ms,
    r.unhealthy_ms, r.unallocated_ms, r.idle_ms, r.unmeasured_ms, r.busy_ms,
    r.sm_active_ms, r.sm_known_ms, r.energy_mj, r.energy_known_ms
FROM temp.main.counted r
JOIN temp.main.asked_spans s
    ON r.unit = s.unit AND r.start_ms < s.to_ms AND r.end_ms > s.from_ms
WHERE r.end_ms > $from AND r.start_ms < $to
