-- Records left out of the answer because they do not own their time.
SELECT count(DISTINCT r.rowid)
FROM store.main.records r
SEMI JOIN temp.main.lost l
    ON l.unit = r.unit AND l.stream = r.stream AND l.seq = r.seq AND l.start_ms = r.start_ms
JOIN temp.main.asked_spans s
    ON r.unit = s.unit
    AND greatest(r.start_ms, s.from_ms, $from) < least(r.end_ms, s.to_ms, $to)
