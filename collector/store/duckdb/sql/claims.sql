-- Records in contested time, by GPU and start, and the hours whose records are
-- gone, which own before all of them.
SELECT c.gpu, c.rank, r.unit, r.stream, r.seq, r.start_ms, r.end_ms
FROM temp.main.contested c
JOIN store.main.records r
    ON r.unit = c.unit AND r.stream = c.stream AND r.start_ms < c.to_ms AND r.end_ms > c.from_ms
WHERE r.start_ms < $to AND r.end_ms > $from
UNION ALL
SELECT gpu, -1, unit, 0, 0, from_ms, to_ms
FROM temp.main.contested_gone
ORDER BY 1, 6
