-- Of the records that are read one by one, those that overlap a span within the slots, but do not lie in one of each.
SELECT DISTINCT ON (r.id)
    r.unit, r.holder, r.reason, r.start_ms, r.end_ms,
    r.unhealthy_ms, r.unallocated_ms, r.idle_ms, r.unmeasured_ms, r.busy_ms,
    r.sm_active_ms, r.sm_known_ms, r.energy_mj, r.energy_known_ms
FROM temp.main.read r
JOIN temp.main.asked_spans s
    ON r.unit = s.unit
    AND greatest(r.start_ms, s.from_ms, $from) < least(r.end_ms, s.to_ms, $to)
LEFT JOIN temp.main.asked_slots t
    ON r.start_ms // $width = t.bucket AND r.start_ms >= t.from_ms AND r.start_ms < t.to_ms
WHERE r.end_ms > $from AND r.start_ms < $to
    AND (r.start_ms < s.from_ms OR r.end_ms > s.to_ms OR t.cell IS NULL OR r.end_ms > t.to_ms)
