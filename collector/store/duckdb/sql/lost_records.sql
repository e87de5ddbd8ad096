-- Records that do not own their time.
CREATE OR REPLACE TEMP VIEW lost_records AS
SELECT *, rowid AS id
FROM store.main.records r
SEMI JOIN temp.main.lost l ON l.unit = r.unit AND l.stream = r.stream AND l.seq = r.seq AND l.start_ms = r.start_ms;
