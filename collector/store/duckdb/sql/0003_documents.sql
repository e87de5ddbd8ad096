-- Documents, kept for ever under a name that is given once.
CREATE TABLE documents (
    name    VARCHAR NOT NULL,
    hash    BLOB    NOT NULL, -- SHA-256 of the body
    made_ms BIGINT  NOT NULL,
    body    BLOB    NOT NULL
);
