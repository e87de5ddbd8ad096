SELECT DISTINCT arrayJoin(records.unit)
FROM batches
WHERE (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
