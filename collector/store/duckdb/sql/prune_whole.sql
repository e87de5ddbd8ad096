-- Hours in which a unit was observed healthy throughout, as hour records say.
CREATE OR REPLACE TEMP TABLE whole AS
SELECT unit, hour
FROM store.main.hours
ANTI JOIN store.main.rough USING (unit, hour)
WHERE hour >= $from - 1 AND hour < $to + 1
GROUP BY unit, hour
HAVING sum(unallocated_ms + idle_ms + unmeasured_ms + busy_ms) = 3600000 AND sum(unhealthy_ms) = 0
