-- Blocks of 4096 numbers. A block that holds all numbers between its lowest and
-- highest is one interval; of the others load_holes reads every number.
SELECT stream, seq // 4096, min(seq), max(seq), count(*)
FROM batches
GROUP BY stream, seq // 4096
ORDER BY stream, 2
