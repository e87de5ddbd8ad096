SELECT b.stream, b.seq, b.hash
FROM batches b
SEMI JOIN (SELECT unnest(CAST(? AS INTEGER[])) AS stream, unnest(CAST(? AS UBIGINT[])) AS seq) a
    ON b.stream = a.stream AND b.seq = a.seq
