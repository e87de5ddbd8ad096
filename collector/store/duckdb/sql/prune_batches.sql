-- Batches that speak of nothing else than records that start in these hours.
CREATE OR REPLACE TEMP TABLE gone_batches AS
SELECT stream, seq
FROM store.main.batches
ANTI JOIN store.main.inventory USING (stream, seq)
WHERE from_ms >= $from_ms AND to_ms < $to_ms AND events = 0 AND digest IS NOT NULL
