-- Numbers before the last of each epoch that neither a batch nor one kept aside
-- nor one that is gone has.
WITH gone AS (
    SELECT s.agent, s.epoch, b.lo, b.hi FROM pruned_batches b JOIN streams s ON s.id = b.stream
),
taken AS (
    SELECT agent, epoch, max(seq)::HUGEINT AS last, count(*)::HUGEINT AS n
    FROM (
        SELECT s.agent, s.epoch, b.seq FROM batches b JOIN streams s ON s.id = b.stream
        UNION
        SELECT agent, epoch, seq FROM aside a
        ANTI JOIN gone g ON g.agent = a.agent AND g.epoch = a.epoch AND g.lo <= a.seq AND g.hi >= a.seq
    )
    WHERE seq > 0
    GROUP BY agent, epoch
    UNION ALL
    SELECT agent, epoch, max(hi)::HUGEINT, sum(hi - lo + 1)::HUGEINT FROM gone GROUP BY agent, epoch
)
SELECT least(coalesce(sum(last - n), 0), 9000000000000000000)::BIGINT
FROM (SELECT max(last) AS last, sum(n) AS n FROM taken GROUP BY agent, epoch)
