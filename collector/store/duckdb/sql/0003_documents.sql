-- Documents, kept for ever under a name that is given once.
CREATE TABLE documents (
    name VARCHAR NOT NULL,
    seal BLOB    NOT NULL, -- SHA-256 of the name, a zero byte and the body
    body BLOB    NOT NULL
);
