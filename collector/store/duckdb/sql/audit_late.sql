-- Records of hours that are gone, and the list of them: both must say the same.
WITH there AS (
    SELECT r.unit, (r.start_ms // 3600000)::INTEGER AS hour, r.stream, r.seq
    FROM store.main.records r
    JOIN store.main.pruned_hours p
        ON p.unit = r.unit AND r.start_ms >= p.from_hour * 3600000::BIGINT AND r.start_ms < p.to_hour * 3600000::BIGINT
)
SELECT unit, hour FROM (FROM there EXCEPT ALL SELECT unit, hour, stream, seq FROM store.main.late)
UNION
SELECT unit, hour FROM (SELECT unit, hour, stream, seq FROM store.main.late EXCEPT ALL FROM there)
ORDER BY hour, unit
