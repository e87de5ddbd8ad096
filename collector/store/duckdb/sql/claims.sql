-- Records in contested time, by GPU and start.
SELECT c.gpu, c.rank, r.unit, r.stream, r.seq, r.start_ms, r.end_ms
FROM temp.main.contested c
JOIN store.main.records r
    ON r.unit = c.unit AND r.stream = c.stream AND r.start_ms < c.to_ms AND r.end_ms > c.from_ms
WHERE r.start_ms < $to AND r.end_ms > $from
ORDER BY c.gpu, r.start_ms
