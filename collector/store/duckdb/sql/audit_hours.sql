SELECT unit, hour, holder, reason, unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms,
    sm_active_ms, sm_known_ms, energy_mj, energy_known_ms
FROM hours
WHERE hour >= $from AND hour < $to
