-- Version 5: a digest of all that is kept of a batch, so that a later change of
-- any row shows. Batches that were stored before have none.
ALTER TABLE batches ADD COLUMN from_ms BIGINT; -- the first start of its records; NULL if it has none
ALTER TABLE batches ADD COLUMN to_ms BIGINT;   -- the last start
ALTER TABLE batches ADD COLUMN digest BLOB;    -- SHA-256, see imprint.go
ALTER TABLE inventory ADD COLUMN stream INTEGER; -- the batch that said so
ALTER TABLE inventory ADD COLUMN seq UBIGINT;
ALTER TABLE doubts ADD COLUMN stream INTEGER; -- the batch that reached back
ALTER TABLE doubts ADD COLUMN seq UBIGINT;
ALTER TABLE aside ADD COLUMN digest BLOB;
ALTER TABLE lives ADD COLUMN digest BLOB;
-- How many rows have no digest.
ALTER TABLE meta ADD COLUMN unsealed_batches BIGINT DEFAULT 0;
ALTER TABLE meta ADD COLUMN unsealed_aside BIGINT DEFAULT 0;
ALTER TABLE meta ADD COLUMN unsealed_lives BIGINT DEFAULT 0;
UPDATE meta SET
    unsealed_batches = (SELECT count(*) FROM batches),
    unsealed_aside = (SELECT count(*) FROM aside),
    unsealed_lives = (SELECT count(*) FROM lives);
