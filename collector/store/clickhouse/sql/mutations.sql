-- Whether a replica is still busy with what was let go.
SELECT count()
FROM system.mutations
WHERE database = currentDatabase() AND table = 'batches' AND is_done = 0
