SELECT n.name,
    n.provider, n.account, n.region, n.zone, n.cluster, n.node_pool, n.rack, n.reservation, n.instance_type, n.instance_id,
    e.at_ms, e.kind, e.gpu, e.value, e.detail
FROM events e
JOIN nodes n ON n.id = e.node
WHERE e.at_ms >= $from AND e.at_ms < $to AND ($node = '' OR n.name = $node) AND ($kinds = '' OR contains($kinds, ' ' || e.kind || ' '))
ORDER BY e.at_ms, n.name, n.provider, n.account, n.region, n.zone, n.cluster, n.node_pool, n.rack, n.reservation, n.instance_type, n.instance_id,
    e.kind, e.gpu, e.value, e.detail
LIMIT $limit
