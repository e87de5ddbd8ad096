SELECT unit, hour, holder, reason, unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms,
    sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
FROM store.main.hours
SEMI JOIN temp.main.gone_hours USING (unit, hour)
WHERE hour >= $from AND hour < $to
ORDER BY hour, unit, holder, reason
