SELECT unit, stream, min(start_ms), max(end_ms), count(*)
FROM store.main.records
SEMI JOIN temp.main.gone_batches USING (stream, seq)
WHERE start_ms >= $from_ms AND start_ms < $to_ms
GROUP BY unit, stream
ORDER BY unit, stream
