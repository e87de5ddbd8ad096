SELECT unit, hour, records
FROM store.main.hours_lost
SEMI JOIN temp.main.gone_hours USING (unit, hour)
WHERE hour >= $from AND hour < $to
ORDER BY hour, unit, records
