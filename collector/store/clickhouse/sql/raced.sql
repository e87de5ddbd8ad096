-- All versions of the batches that have several. Blocks of 4096 numbers are
-- looked into only if they hold more rows than numbers.
SELECT DISTINCT agent, epoch, seq, hash
FROM batches
WHERE (agent, epoch, seq) IN (
    SELECT agent, epoch, seq
    FROM batches
    WHERE (agent, epoch, intDiv(seq, 4096)) IN (
        SELECT agent, epoch, intDiv(seq, 4096) AS block
        FROM batches
        GROUP BY agent, epoch, block
        HAVING count() > uniqExact(seq)
    )
    GROUP BY agent, epoch, seq
    HAVING uniqExact(hash) > 1
)
