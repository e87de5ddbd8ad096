SELECT n.name,
    n.provider, n.account, n.region, n.zone, n.cluster, n.node_pool, n.rack, n.reservation, n.instance_type, n.instance_id,
    e.at_ms, e.kind, e.gpu, e.value, e.detail
FROM events e
JOIN nodes n ON n.id = e.node
WHERE e.at_ms >= ? AND e.at_ms < ?
ORDER BY e.at_ms, n.name, n.provider, n.account, n.region, n.zone, n.cluster, n.node_pool, n.rack, n.reservation, n.instance_type, n.instance_id,
    e.kind, e.gpu, e.value, e.detail
LIMIT ?
