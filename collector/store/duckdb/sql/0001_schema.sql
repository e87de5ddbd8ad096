-- What a store is made of, version 1. No table has a key or an index: what may
-- stand once is kept once by the program, in the same transaction, because an
-- index on millions of rows would cost more than all the rest.

-- One row: who this store is.
CREATE TABLE meta (
    store_id   VARCHAR NOT NULL,
    schema     INTEGER NOT NULL, -- the number of the last migration
    created_ms BIGINT  NOT NULL
);

-- Nodes under one cloud identity. Another identity is another node. Empty is
-- unknown.
CREATE TABLE nodes (
    id            INTEGER NOT NULL,
    name          VARCHAR NOT NULL,
    machine_id    VARCHAR NOT NULL,
    provider      VARCHAR NOT NULL,
    account       VARCHAR NOT NULL,
    region        VARCHAR NOT NULL,
    zone          VARCHAR NOT NULL,
    instance_type VARCHAR NOT NULL,
    instance_id   VARCHAR NOT NULL,
    reservation   VARCHAR NOT NULL,
    cluster       VARCHAR NOT NULL,
    rack          VARCHAR NOT NULL
);

-- A GPU in a node.
CREATE TABLE units (
    id    INTEGER NOT NULL,
    node  INTEGER NOT NULL,
    gpu   VARCHAR NOT NULL, -- UUID
    model VARCHAR NOT NULL
);

-- What else was known of a unit, as of seen_ms: a row whenever it changes.
CREATE TABLE inventory (
    unit         INTEGER NOT NULL,
    seen_ms      BIGINT  NOT NULL, -- end of the unit's last record in the batch that said so
    name         VARCHAR NOT NULL,
    gpu_index    BIGINT  NOT NULL,
    serial       VARCHAR NOT NULL,
    pci          VARCHAR NOT NULL,
    memory_bytes UBIGINT NOT NULL,
    driver       VARCHAR NOT NULL,
    agent        VARCHAR NOT NULL  -- version
);

-- Who speaks. The order of evidence, agent, epoch decides who owns a GPU's time.
CREATE TABLE streams (
    id       INTEGER NOT NULL,
    agent    VARCHAR NOT NULL,
    epoch    VARCHAR NOT NULL,
    evidence VARCHAR NOT NULL
);

CREATE TABLE holders (
    id    INTEGER NOT NULL,
    basis VARCHAR NOT NULL,
    kind  VARCHAR NOT NULL,
    team  VARCHAR NOT NULL, -- usage.Holder.Group: namespace or account
    name  VARCHAR NOT NULL,
    part  VARCHAR NOT NULL
);

CREATE TABLE reasons (
    id     INTEGER NOT NULL,
    reason VARCHAR NOT NULL
);

-- Committed batches. (agent and epoch of stream, seq) is the identity by which
-- a batch is stored once.
CREATE TABLE batches (
    stream          INTEGER NOT NULL,
    seq             UBIGINT NOT NULL,
    hash            BLOB    NOT NULL, -- SHA-256 of the body
    prev_hash       BLOB,             -- of the batch before; NULL if it has none
    node            INTEGER NOT NULL,
    received_ms     BIGINT  NOT NULL,
    interval_ms     BIGINT  NOT NULL,
    clock_offset_ms BIGINT  NOT NULL,
    records         INTEGER NOT NULL,
    events          INTEGER NOT NULL
);

-- What GPUs did. (stream, seq) names the batch that said so.
CREATE TABLE records (
    unit            INTEGER NOT NULL,
    stream          INTEGER NOT NULL,
    seq             UBIGINT NOT NULL,
    holder          INTEGER NOT NULL,
    reason          INTEGER NOT NULL,
    start_ms        BIGINT  NOT NULL, -- Unix, UTC
    end_ms          BIGINT  NOT NULL, -- exclusive
    unhealthy_ms    INTEGER NOT NULL,
    unallocated_ms  INTEGER NOT NULL,
    idle_ms         INTEGER NOT NULL,
    unmeasured_ms   INTEGER NOT NULL,
    busy_ms         INTEGER NOT NULL,
    sm_active_ms    INTEGER NOT NULL,
    sm_known_ms     INTEGER NOT NULL,
    energy_mj       BIGINT  NOT NULL,
    energy_known_ms INTEGER NOT NULL
);

-- Spans in which one stream may have recorded a GPU twice, because a batch
-- came that reaches back into time that the stream had recorded before.
-- Whether it did is found out when somebody asks.
CREATE TABLE doubts (
    gpu     VARCHAR NOT NULL,
    from_ms BIGINT  NOT NULL,
    to_ms   BIGINT  NOT NULL
);

CREATE TABLE events (
    stream INTEGER NOT NULL,
    seq    UBIGINT NOT NULL,
    node   INTEGER NOT NULL,
    at_ms  BIGINT  NOT NULL,
    kind   VARCHAR NOT NULL,
    gpu    VARCHAR NOT NULL, -- UUID, or empty: the node
    value  BIGINT  NOT NULL,
    detail VARCHAR NOT NULL
);

-- Batches that count in no sum: conflicts and quarantine.
CREATE TABLE aside (
    agent       VARCHAR NOT NULL,
    epoch       VARCHAR NOT NULL,
    seq         UBIGINT NOT NULL,
    hash        BLOB    NOT NULL,
    kind        VARCHAR NOT NULL, -- conflict, quarantine
    reason      VARCHAR NOT NULL,
    received_ms BIGINT  NOT NULL,
    body        BLOB    NOT NULL
);
