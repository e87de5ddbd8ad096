SELECT b.stream, b.seq
FROM batches b
JOIN (
    SELECT stream, seq // 4096 AS block
    FROM batches
    GROUP BY stream, seq // 4096
    HAVING count(*) <> max(seq) - min(seq) + 1
) h ON b.stream = h.stream AND b.seq // 4096 = h.block
ORDER BY b.stream, b.seq
