SELECT unit, 0, 0, holder, reason, hour * 3600000::BIGINT, (hour + 1) * 3600000::BIGINT,
    unhealthy_ms, unallocated_ms, idle_ms, unmeasured_ms, busy_ms, sm_active_ms, sm_known_ms, energy_mj, energy_known_ms,
    -1 - rowid
FROM store.main.hours SEMI JOIN temp.main.asked_gone USING (unit, hour)
