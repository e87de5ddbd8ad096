-- Hours of a day of which the batches of one feed from one node may go: they are
-- there without a hole, say nothing else, and tell of units that they own, all
-- healthy throughout, in the hours before and after too.
SELECT agent, epoch, node, hour, lo, hi, batches, records
FROM (
    SELECT agent, epoch, node, intDiv(from_ms, 3600000) AS hour, min(seq) AS lo, max(seq) AS hi,
        count() AS batches, sum(length(records.unit)) AS records,
        max(to_ms) AS last, max(received_ms) AS received, sum(length(events.kind)) AS said, uniqExact(evidence) AS sources,
        countIf((agent, epoch, seq) IN (SELECT agent, epoch, seq FROM losers)) AS raced
    FROM batches FINAL
    WHERE day = @day AND day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
        AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
        AND part != 1 AND merged = 0
    GROUP BY agent, epoch, node, hour
)
WHERE hour >= @first AND hour < @last AND batches = hi - lo + 1 AND records > 0
    AND last <= (hour + 1) * 3600000 AND received < @since AND said = 0 AND sources = 1 AND raced = 0
    AND hour NOT IN (SELECT hour FROM asked_hours)
    AND (agent, epoch, node, hour) IN (
        SELECT agent, epoch, node, hour
        FROM (
            SELECT agent, epoch, node, unit, hour,
                healthy = 3600000 AND last <= (hour + 1) * 3600000 AND others = 0
                    AND (unit, hour) IN (
                        SELECT unit, around
                        FROM (
                            SELECT unit, intDiv(start_ms, 3600000) AS at, sum(unallocated_ms + idle_ms + unmeasured_ms + busy_ms) AS healthy, max(end_ms) AS last
                            FROM hours
                            WHERE day IN (SELECT day FROM used) AND attempt IN (SELECT attempt FROM used) AND lost = 0
                            GROUP BY unit, at
                            HAVING healthy = 3600000 AND last <= (at + 1) * 3600000
                        )
                        ARRAY JOIN [at - 1, at, at + 1] AS around
                        GROUP BY unit, around
                        HAVING count() = 3
                    )
                    AND (unit, hour) NOT IN (SELECT unit, hour FROM wanted)
                    AND (unit, hour) NOT IN (SELECT unit, intDiv(seen_ms - 1, 3600000) FROM inventory)
                AS goes
            FROM (
                SELECT agent, epoch, node, r.unit AS unit, intDiv(r.start_ms, 3600000) AS hour,
                    sum(r.unallocated_ms + r.idle_ms + r.unmeasured_ms + r.busy_ms) AS healthy, max(r.end_ms) AS last,
                    countIf(intDiv(from_ms, 3600000) != intDiv(r.start_ms, 3600000)
                        OR (r.unit, agent, epoch, seq, r.start_ms) IN (SELECT unit, agent, epoch, seq, start_ms FROM lost)) AS others
                FROM batches FINAL
                ARRAY JOIN records AS r
                WHERE day IN (SELECT day FROM asked_parts) AND (day, part) IN (SELECT day, part FROM asked_parts)
                    AND (part > 0 OR day NOT IN (SELECT day FROM pruned) OR received_ms >= transform(day, (SELECT groupArray(day) FROM pruned), (SELECT groupArray(since_ms) FROM pruned), toInt64(0)))
                    AND merged = 0 AND intDiv(r.start_ms, 3600000) >= @first AND intDiv(r.start_ms, 3600000) < @last
                GROUP BY agent, epoch, node, unit, hour
            )
        )
        GROUP BY agent, epoch, node, hour
        HAVING min(goes) = 1
    )
