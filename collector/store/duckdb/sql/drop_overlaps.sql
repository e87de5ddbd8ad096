DELETE FROM store.main.hours_lost h
USING temp.main.smoothed s
WHERE h.unit = s.unit AND h.hour = s.hour
