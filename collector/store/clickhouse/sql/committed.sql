SELECT DISTINCT agent, epoch, seq, hash
FROM batches
WHERE (agent, epoch, seq) IN (SELECT agent, epoch, seq FROM asked)
