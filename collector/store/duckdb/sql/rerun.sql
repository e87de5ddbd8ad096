SELECT r.n, count(*), arg_max(b.hash, b.seq), sha256(string_agg(lower(hex(coalesce(b.digest, ''::BLOB))), '' ORDER BY b.seq))
FROM temp.main.runs r
JOIN streams s ON s.agent = r.agent AND s.epoch = r.epoch
JOIN batches b ON b.stream = s.id AND b.seq >= r.lo AND b.seq <= r.hi
GROUP BY r.n
