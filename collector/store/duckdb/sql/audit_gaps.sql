-- Numbers before the last of each epoch that neither a batch nor one kept aside
-- has.
WITH taken AS (
    SELECT s.agent, s.epoch, b.seq FROM batches b JOIN streams s ON s.id = b.stream
    UNION
    SELECT agent, epoch, seq FROM aside
)
SELECT least(coalesce(sum(last - n), 0), 9000000000000000000)::BIGINT
FROM (SELECT max(seq)::HUGEINT AS last, count(*) AS n FROM taken WHERE seq > 0 GROUP BY agent, epoch)
