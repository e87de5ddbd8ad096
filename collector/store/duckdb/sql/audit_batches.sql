SELECT stream, seq, hash, prev_hash, node, received_ms, interval_ms, clock_offset_ms, records, events, from_ms, to_ms, digest
FROM batches
WHERE rowid >= $from AND rowid < $to
