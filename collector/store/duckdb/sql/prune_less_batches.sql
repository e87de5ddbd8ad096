-- A batch stays if an hour that it speaks of does.
DELETE FROM temp.main.gone_batches g
USING (SELECT DISTINCT stream, seq FROM temp.main.said ANTI JOIN temp.main.gone_hours USING (unit, hour)) s
WHERE g.stream = s.stream AND g.seq = s.seq
