-- Numbers that some prunings merged.
SELECT DISTINCT agent, epoch, lo, hi
FROM gone
WHERE pruning IN (SELECT pruning FROM asked)
