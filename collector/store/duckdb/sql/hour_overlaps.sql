-- The same of the hours that hour records tell.
SELECT coalesce(sum(r.records), 0)::BIGINT
FROM (
    SELECT unit, hour, records FROM store.main.hours_lost
    UNION ALL
    SELECT unit, hour, 1 FROM store.main.late
) r
JOIN temp.main.asked_slot_hours t
    ON r.hour // $width = t.bucket AND r.hour >= t.from_hour AND r.hour < t.to_hour
JOIN temp.main.asked_span_hours s
    ON r.unit = s.unit AND r.hour >= s.from_hour AND r.hour < s.to_hour
WHERE r.hour >= $from AND r.hour < $to
