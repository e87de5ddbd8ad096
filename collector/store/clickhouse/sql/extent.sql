SELECT min(from_ms), max(to_ms)
FROM batches
WHERE to_ms > 0
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
