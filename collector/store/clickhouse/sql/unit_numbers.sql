SELECT DISTINCT arrayJoin(records.unit)
FROM batches
WHERE seq > 0
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
