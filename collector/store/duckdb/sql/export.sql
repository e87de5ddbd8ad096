-- The records of some time that own it, with all that they refer to. Of hours
-- whose records are gone, these are hour records, of no agent.
SELECT
    coalesce(nullif(n.provider, ''), 'unknown') AS provider, strftime(epoch_ms(r.start_ms), '%Y-%m-%d') AS day,
    r.start_ms, r.end_ms, u.gpu, u.model, n.name AS node,
    n.account, n.region, n.zone, n.instance_type, n.instance_id, n.reservation, n.cluster, n.node_pool, n.rack,
    h.basis AS holder_basis, h.kind AS holder_kind, h.team AS holder_group, h.name AS holder_name, h.part AS holder_part,
    h.labels AS holder_labels, x.reason,
    r.unhealthy_ms, r.unallocated_ms, r.idle_ms, r.unmeasured_ms, r.busy_ms,
    r.sm_active_ms, r.sm_known_ms, r.energy_mj, r.energy_known_ms,
    coalesce(s.evidence, '') AS evidence, coalesce(s.agent, '') AS agent, coalesce(s.epoch, '') AS epoch, r.seq
FROM temp.main.exported r
JOIN store.main.units u ON u.id = r.unit
JOIN store.main.nodes n ON n.id = u.node
JOIN store.main.holders h ON h.id = r.holder
JOIN store.main.reasons x ON x.id = r.reason
LEFT JOIN store.main.streams s ON s.id = r.stream
