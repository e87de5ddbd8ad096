SELECT count(), sum(length(records.unit))
FROM batches FINAL
WHERE seq > 0
    AND (agent, epoch, seq, hash) NOT IN (SELECT agent, epoch, seq, hash FROM losers)
