-- Batches that do not name the hash of the one before them, where that is there
-- or its hash is kept.
SELECT b.stream, b.lo, b.prev_hash, lag(b.hash) OVER w
FROM (
    SELECT stream, seq AS lo, seq AS hi, prev_hash, hash FROM batches
    UNION ALL
    SELECT stream, lo, hi, prev_hash, hash FROM pruned_batches
) b
JOIN streams s ON s.id = b.stream
WINDOW w AS (PARTITION BY s.agent, s.epoch ORDER BY b.lo)
QUALIFY lag(b.hi) OVER w = b.lo - 1 AND b.prev_hash IS DISTINCT FROM lag(b.hash) OVER w
ORDER BY b.stream, b.lo
