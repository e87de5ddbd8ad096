-- Without the records that do not own their time.
CREATE OR REPLACE TEMP VIEW counted AS
SELECT *, rowid AS id
FROM store.main.records r
ANTI JOIN temp.main.lost l ON l.unit = r.unit AND l.stream = r.stream AND l.seq = r.seq AND l.start_ms = r.start_ms;
