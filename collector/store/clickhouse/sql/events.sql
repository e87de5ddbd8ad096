-- GROUP BY is what DISTINCT should be: servers of 2018 forget it over an ORDER BY.
SELECT agent, epoch, seq, place, node, node_name, e.at_ms AS at_ms, e.kind AS kind, e.gpu AS gpu, e.value AS value, e.detail AS detail
FROM batches
ARRAY JOIN events AS e, arrayEnumerate(events.kind) AS place
WHERE e.at_ms >= @from AND e.at_ms < @to
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
    AND (@every_node = 1 OR node_name IN (SELECT text FROM asked_nodes))
    AND (@every_kind = 1 OR e.kind IN (SELECT text FROM asked_kinds))
GROUP BY agent, epoch, seq, place, node, node_name, at_ms, kind, gpu, value, detail
ORDER BY at_ms, node_name, node, kind, gpu, value, detail
LIMIT @limit
