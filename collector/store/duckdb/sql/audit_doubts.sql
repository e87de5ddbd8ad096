SELECT stream, seq, gpu, from_ms, to_ms
FROM store.main.doubts
SEMI JOIN temp.main.audited USING (stream, seq)
