SELECT DISTINCT agent, epoch, seq, hash
FROM batches
WHERE merged = 0 AND (agent, epoch, seq) IN (SELECT agent, epoch, seq FROM asked)
