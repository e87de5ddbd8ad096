SELECT stream, seq, prev_hash, hash, digest
FROM store.main.batches
SEMI JOIN temp.main.gone_batches USING (stream, seq)
ORDER BY stream, seq
