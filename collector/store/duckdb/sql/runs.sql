-- A run is what stays alike when a batch's place among those of its stream is
-- taken from its number.
SELECT s.agent, s.epoch, min(b.seq), max(b.seq)
FROM (
    SELECT stream, seq, seq::HUGEINT - row_number() OVER (PARTITION BY stream ORDER BY seq) AS run
    FROM batches
    WHERE coalesce(from_ms, received_ms) >= $from AND coalesce(from_ms, received_ms) < $to
) b
JOIN streams s ON s.id = b.stream
GROUP BY s.agent, s.epoch, b.run
ORDER BY s.agent, s.epoch, min(b.seq)
