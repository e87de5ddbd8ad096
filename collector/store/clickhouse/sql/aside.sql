SELECT DISTINCT agent, epoch, seq, hash
FROM aside
WHERE (agent, epoch, seq) IN (SELECT agent, epoch, seq FROM asked)
