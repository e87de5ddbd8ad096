SELECT stream, seq, node, at_ms, kind, gpu, value, detail
FROM store.main.events
SEMI JOIN temp.main.audited USING (stream, seq)
