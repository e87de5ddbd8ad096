SELECT b.seq, n.name, b.hash, b.prev_hash, b.received_ms, b.records, b.events
FROM batches b
JOIN streams s ON s.id = b.stream
JOIN nodes n ON n.id = b.node
WHERE s.agent = $agent AND s.epoch = $epoch AND b.seq >= $lo AND b.seq <= $hi
ORDER BY b.seq
