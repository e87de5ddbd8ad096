DELETE FROM store.main.records r
USING temp.main.gone g
WHERE r.stream = g.stream AND r.seq >= g.lo AND r.seq <= g.hi
    AND r.start_ms >= $from AND r.start_ms < $to
