-- Of the records that lie wholly inside one span and one slot, of those that are
-- read one by one. A sum beyond 64 bits is held at
-- their limit.
SELECT s.cell + t.cell AS sum_cell,
    sum(r.unhealthy_ms)::BIGINT, sum(r.unallocated_ms)::BIGINT, sum(r.idle_ms)::BIGINT,
    sum(r.unmeasured_ms)::BIGINT, sum(r.busy_ms)::BIGINT,
    sum(r.sm_active_ms)::BIGINT, sum(r.sm_known_ms)::BIGINT,
    least(sum(r.energy_mj), 9223372036854775807)::BIGINT, sum(r.energy_known_ms)::BIGINT
FROM temp.main.read r
JOIN temp.main.asked_slots t
    ON r.start_ms // $width = t.bucket AND r.start_ms >= t.from_ms AND r.end_ms <= t.to_ms
JOIN temp.main.asked_spans s
    ON r.unit = s.unit AND r.start_ms >= s.from_ms AND r.end_ms <= s.to_ms
WHERE r.start_ms >= $from AND r.end_ms <= $to
GROUP BY sum_cell
