-- All versions of the batches that have several, of the feeds in which there
-- may be some.
SELECT DISTINCT agent, epoch, seq, hash, from_ms, to_ms, length(records.unit) AS n
FROM batches
WHERE merged = 0 AND (agent, epoch) IN (SELECT agent, epoch FROM suspects)
    AND (agent, epoch, seq) IN (
        SELECT agent, epoch, seq
        FROM batches
        WHERE merged = 0 AND (agent, epoch) IN (SELECT agent, epoch FROM suspects)
        GROUP BY agent, epoch, seq
        HAVING uniqExact(hash) > 1
    )
