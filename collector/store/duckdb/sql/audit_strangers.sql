-- Rows of batches that are not there. Rows of inventory and doubts without a
-- batch are older than digests.
SELECT 'records', stream, seq, count(*) FROM records ANTI JOIN batches USING (stream, seq) GROUP BY ALL
UNION ALL
SELECT 'events', stream, seq, count(*) FROM events ANTI JOIN batches USING (stream, seq) GROUP BY ALL
UNION ALL
SELECT 'inventory', stream, seq, count(*) FROM inventory ANTI JOIN batches USING (stream, seq) GROUP BY ALL
HAVING stream IS NOT NULL OR seq IS NOT NULL OR (SELECT unsealed_batches FROM meta) = 0
UNION ALL
SELECT 'doubts', stream, seq, count(*) FROM doubts ANTI JOIN batches USING (stream, seq) GROUP BY ALL
HAVING stream IS NOT NULL OR seq IS NOT NULL OR (SELECT unsealed_batches FROM meta) = 0
ORDER BY 1, 2, 3
