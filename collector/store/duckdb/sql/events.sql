SELECT n.name, e.at_ms, e.kind, e.gpu, e.value, e.detail
FROM events e
JOIN nodes n ON n.id = e.node
WHERE e.at_ms >= ? AND e.at_ms < ?
ORDER BY e.at_ms, n.name, e.kind, e.gpu, e.value, e.detail
LIMIT ?
