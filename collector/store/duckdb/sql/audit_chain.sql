-- Batches that do not name the hash of the one before them, where that is there.
SELECT b.stream, b.seq, b.prev_hash, lag(b.hash) OVER w
FROM batches b
JOIN streams s ON s.id = b.stream
WINDOW w AS (PARTITION BY s.agent, s.epoch ORDER BY b.seq)
QUALIFY lag(b.seq) OVER w = b.seq - 1 AND b.prev_hash IS DISTINCT FROM lag(b.hash) OVER w
ORDER BY b.stream, b.seq
