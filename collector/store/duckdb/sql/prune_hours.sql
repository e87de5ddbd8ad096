-- Those of them between two others that nobody wants to keep, and that are not
-- gone yet. Unit 0 stands for every unit.
CREATE OR REPLACE TEMP TABLE gone_hours AS
SELECT w.unit, w.hour
FROM temp.main.whole w
SEMI JOIN temp.main.whole b ON b.unit = w.unit AND b.hour = w.hour - 1
SEMI JOIN temp.main.whole a ON a.unit = w.unit AND a.hour = w.hour + 1
ANTI JOIN temp.main.wanted k ON k.unit = w.unit AND k.hour = w.hour
ANTI JOIN store.main.pruned_hours p ON p.unit = w.unit AND p.from_hour <= w.hour AND p.to_hour > w.hour
WHERE w.hour >= $from AND w.hour < $to AND w.hour NOT IN (SELECT hour FROM temp.main.wanted WHERE unit = 0)
