-- An hour stays if a batch that speaks of it does.
DELETE FROM temp.main.gone_hours g
USING (SELECT DISTINCT unit, hour FROM temp.main.said ANTI JOIN temp.main.gone_batches USING (stream, seq)) s
WHERE g.unit = s.unit AND g.hour = s.hour
