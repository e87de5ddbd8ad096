-- The last batch of each agent and epoch.
SELECT agent, epoch, max(seq), arg_max(hash, seq), NULL::BLOB
FROM (
    SELECT s.agent, s.epoch, b.seq, b.hash
    FROM store.main.batches b JOIN store.main.streams s ON s.id = b.stream
    WHERE b.received_ms < $day_to
    UNION ALL
    SELECT s.agent, s.epoch, b.hi, b.hash
    FROM store.main.pruned_batches b JOIN store.main.streams s ON s.id = b.stream
)
GROUP BY agent, epoch
ORDER BY agent, epoch
