SELECT DISTINCT day, attempt, until_ms, batches, print, rows
FROM rolls
WHERE day >= @low AND day <= @high
