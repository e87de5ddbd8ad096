SELECT DISTINCT day, pruning, since_ms, made_ms, rows
FROM prunings
