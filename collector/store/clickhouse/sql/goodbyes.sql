SELECT DISTINCT node, e.gpu, e.at_ms
FROM batches
ARRAY JOIN events AS e
WHERE has(events.kind, 'goodbye') AND e.kind = 'goodbye'
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
