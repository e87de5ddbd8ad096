SELECT seq, node_name, hash, prev_hash, min(received_ms), length(records.unit) AS n, length(events.kind) AS m
FROM batches
WHERE agent = (SELECT agent FROM asked) AND epoch = (SELECT epoch FROM asked)
    AND seq >= (SELECT lo FROM asked) AND seq <= (SELECT hi FROM asked)
    AND merged = 0
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
GROUP BY seq, node_name, hash, prev_hash, n, m
ORDER BY seq
