-- The last batch of each agent and epoch when the day ended.
SELECT agent, epoch, max(seq), arg_max(hash, seq), NULL::BLOB
FROM (
    SELECT s.agent, s.epoch, b.seq, b.hash
    FROM store.main.batches b JOIN store.main.streams s ON s.id = b.stream
    WHERE b.received_ms < $day_to
    UNION ALL
    SELECT s.agent, s.epoch, b.hi, b.hash
    FROM store.main.pruned_batches b
    JOIN store.main.streams s ON s.id = b.stream
    JOIN store.main.prunings p ON p.id = b.pruning
    WHERE p.at_ms < $day_to
)
GROUP BY agent, epoch
ORDER BY agent, epoch
