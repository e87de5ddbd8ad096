-- Of the hours that lie wholly inside one span and one slot, of those that hour
-- records tell. A sum beyond 64 bits is held at
-- their limit.
SELECT s.cell + t.cell AS sum_cell,
    sum(r.unhealthy_ms)::BIGINT, sum(r.unallocated_ms)::BIGINT, sum(r.idle_ms)::BIGINT,
    sum(r.unmeasured_ms)::BIGINT, sum(r.busy_ms)::BIGINT,
    sum(r.sm_active_ms)::BIGINT, sum(r.sm_known_ms)::BIGINT,
    least(sum(r.energy_mj), 9223372036854775807)::BIGINT, sum(r.energy_known_ms)::BIGINT
FROM store.main.hours r
JOIN temp.main.asked_slot_hours t
    ON r.hour // $width = t.bucket AND r.hour >= t.from_hour AND r.hour < t.to_hour
JOIN temp.main.asked_span_hours s
    ON r.unit = s.unit AND r.hour >= s.from_hour AND r.hour < s.to_hour
WHERE r.hour >= $from AND r.hour < $to
GROUP BY sum_cell
