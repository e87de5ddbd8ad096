-- What stands twice and must stand once.
SELECT format('agent {}, epoch {}, seq {}', s.agent, s.epoch, b.seq), count(*)
FROM batches b
JOIN streams s ON s.id = b.stream
GROUP BY s.agent, s.epoch, b.seq
HAVING count(*) > 1
UNION ALL
SELECT format('agent {}, epoch {}, seq {}, kept aside', agent, epoch, seq), count(*)
FROM aside
GROUP BY agent, epoch, seq, hash
HAVING count(*) > 1
UNION ALL
SELECT 'document ' || name, count(*) FROM documents GROUP BY name HAVING count(*) > 1
ORDER BY ALL
