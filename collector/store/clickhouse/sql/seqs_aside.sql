-- Numbers of batches set aside above a frontier, in blocks of 4096. Of a block with holes every
-- number is told.
SELECT min(seq) AS lo, max(seq) AS hi,
    if(uniqExact(seq) = hi - lo + 1, emptyArrayUInt64(), groupUniqArray(seq)) AS holes
FROM aside
WHERE agent = (SELECT agent FROM asked) AND epoch = (SELECT epoch FROM asked) AND seq > (SELECT frontier FROM asked)
GROUP BY intDiv(seq, 4096)
