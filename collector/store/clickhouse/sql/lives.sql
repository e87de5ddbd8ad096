SELECT start_ms, max(beat_ms)
FROM lives
GROUP BY start_ms
ORDER BY start_ms
