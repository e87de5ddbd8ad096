SELECT seq, node_name, hash, prev_hash, min(received_ms), length(records.unit) AS n, length(events.kind) AS m
FROM batches
WHERE agent = (SELECT agent FROM asked) AND epoch = (SELECT epoch FROM asked)
    AND seq >= (SELECT lo FROM asked) AND seq <= (SELECT hi FROM asked)
    AND day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
    AND merged = 0
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
GROUP BY seq, node_name, hash, prev_hash, n, m
ORDER BY seq
