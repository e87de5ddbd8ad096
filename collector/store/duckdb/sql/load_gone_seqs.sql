-- Batches that are gone, as few spans of numbers.
SELECT stream, min(lo), max(hi)
FROM (
    SELECT *, sum(starts) OVER (PARTITION BY stream ORDER BY lo, hi ROWS UNBOUNDED PRECEDING) AS span
    FROM (
        SELECT stream, lo, hi, CASE WHEN lo::HUGEINT = 1 + lag(hi) OVER (PARTITION BY stream ORDER BY lo, hi)::HUGEINT THEN 0 ELSE 1 END AS starts
        FROM pruned_batches
    )
)
GROUP BY stream, span
ORDER BY stream, 2
