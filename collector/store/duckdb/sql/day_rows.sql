SELECT s.agent, s.epoch, b.seq, b.hash, b.digest
FROM store.main.batches b
JOIN store.main.streams s ON s.id = b.stream
WHERE b.received_ms >= $day_from AND b.received_ms < $day_to
ORDER BY b.stream, b.seq
