-- Of the table of batches, and of that of doubts: no record is left in their
-- time that could be claimed twice.
DELETE FROM store.main.$table b
USING temp.main.gone g
WHERE b.stream = g.stream AND b.seq >= g.lo AND b.seq <= g.hi
