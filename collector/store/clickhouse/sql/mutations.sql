-- How batches are deleted, or were lately.
SELECT command
FROM system.mutations
WHERE database = currentDatabase() AND table = 'batches'
