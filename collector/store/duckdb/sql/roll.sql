-- Hour records of the records that are read.
SELECT r.unit, r.start_ms // 3600000 AS hour, r.holder, r.reason,
    sum(r.unhealthy_ms)::BIGINT, sum(r.unallocated_ms)::BIGINT, sum(r.idle_ms)::BIGINT,
    sum(r.unmeasured_ms)::BIGINT, sum(r.busy_ms)::BIGINT,
    sum(r.sm_active_ms)::BIGINT, sum(r.sm_known_ms)::BIGINT,
    sum(r.energy_mj)::BIGINT, sum(r.energy_known_ms)::BIGINT
FROM temp.main.read r
GROUP BY r.unit, hour, r.holder, r.reason
ORDER BY hour, r.unit, r.holder, r.reason
