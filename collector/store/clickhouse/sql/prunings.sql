SELECT DISTINCT day, pruning, since_ms, made_ms
FROM prunings
