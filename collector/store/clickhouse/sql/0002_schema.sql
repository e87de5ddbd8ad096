-- What a store is made of on each shard, version 2. The engine is
-- ReplacingMergeTree, replicated where there is a cluster: rows that agree in
-- the sorting key are one row. Names of nodes, units and holders are hashes of
-- what they name, so that collectors agree on them without asking each other.

-- Nodes under one cloud identity. Another identity is another node. Empty is
-- unknown.
CREATE TABLE IF NOT EXISTS nodes (
    node          Int64,
    name          String,
    machine_id    String,
    provider      String,
    account       String,
    region        String,
    zone          String,
    instance_type String,
    instance_id   String,
    reservation   String,
    cluster       String,
    node_pool     String,
    rack          String,
    expected_gpus UInt32 -- 0: nobody says
) ENGINE = {engine} ORDER BY node;

-- A GPU in a node.
CREATE TABLE IF NOT EXISTS units (
    unit  Int64,
    node  Int64,
    gpu   String, -- UUID
    model String
) ENGINE = {engine} ORDER BY unit;

-- What else was known of a unit.
CREATE TABLE IF NOT EXISTS inventory (
    unit         Int64,
    gpu_index    Int64,
    name         String,
    serial       String,
    pci          String,
    memory_bytes UInt64,
    driver       String, -- version
    agent        String, -- version
    seen_ms      Int64   -- end of a record in a batch that said so
) ENGINE = {engine} ORDER BY (unit, gpu_index, name, serial, pci, memory_bytes, driver, agent);

CREATE TABLE IF NOT EXISTS holders (
    holder Int64,
    basis  String,
    kind   String,
    team   String, -- usage.Holder.Group: namespace or account
    name   String,
    part   String,
    labels String  -- usage.Holder.Labels
) ENGINE = {engine} ORDER BY holder;

-- Committed batches, each a row with all that it says. The sorting key ends in
-- the hash of the content: of two batches that got here under one identity at
-- the same moment both stay, and readers count the one with the lower hash.
-- What a pruning left of a day is a part of its own: see prunings.
CREATE TABLE IF NOT EXISTS batches (
    agent           String,
    epoch           String,
    seq             UInt64,
    hash            FixedString(32), -- SHA-256 of the body
    prev_hash       String,          -- of the batch before; empty if it has none
    evidence        Enum8('agent' = 0, 'prometheus' = 1),
    node            Int64,
    node_name       String,
    received_ms     Int64,
    interval_ms     Int64,
    clock_offset_ms Int64,
    from_ms         Int64,  -- start of the first record, Unix, UTC; 0 if there is none
    to_ms           Int64,  -- end of the last
    day             UInt32, -- YYYYMMDD of from_ms, or of the first event if there is no record; 0 outside of this century
    part            UInt64, -- 0; 1: from_ms and to_ms are more than a day apart, or day is 0; else the pruning that wrote the row
    merged          UInt32, -- 0; else the row stands for so many batches that are gone, with numbers from seq on: it has their sums by hour
    merged_records  UInt32, -- how many records they had
    records Nested (
        unit            Int64,
        holder          Int64,
        reason          String,
        start_ms        Int64,
        end_ms          Int64, -- exclusive
        unhealthy_ms    UInt32,
        unallocated_ms  UInt32,
        idle_ms         UInt32,
        unmeasured_ms   UInt32,
        busy_ms         UInt32,
        sm_active_ms    UInt32,
        sm_known_ms     UInt32,
        energy_mj       UInt64,
        energy_known_ms UInt32
    ),
    events Nested (
        at_ms  Int64,
        kind   String,
        gpu    String, -- UUID, or empty: the node
        value  Int64,
        detail String
    )
) ENGINE = {engine} PARTITION BY (day, part) ORDER BY (agent, epoch, seq, hash, part);

-- Hour records: of the records of a shard that start in one day, what those of
-- one hour of a unit say for one holder and reason. Records that reach out of
-- their hour stand apart. Each attempt to make those of a day has a number; it
-- counts if the table rolls has it.
CREATE TABLE IF NOT EXISTS hours (
    day             UInt32, -- YYYYMMDD
    attempt         UInt64,
    unit            Int64,
    holder          Int64,
    reason          String,
    start_ms        Int64,  -- of the first record
    end_ms          Int64,  -- of the last
    lost            UInt32, -- how many these are if they do not own their time; else 0
    unhealthy_ms    UInt64,
    unallocated_ms  UInt64,
    idle_ms         UInt64,
    unmeasured_ms   UInt64,
    busy_ms         UInt64,
    sm_active_ms    UInt64,
    sm_known_ms     UInt64,
    energy_mj       UInt64,
    energy_known_ms UInt64
) ENGINE = {engine} PARTITION BY (day, attempt) ORDER BY (unit, start_ms, end_ms, holder, reason, lost);

-- Attempts that are whole: hour records of a day up to until_ms, made of
-- batches, on all shards, that these numbers name. When there are others, the
-- hour records do not count.
CREATE TABLE IF NOT EXISTS rolls (
    day      UInt32,
    attempt  UInt64,
    until_ms Int64,
    batches  UInt64, -- how many
    print    UInt64, -- sum of hashes of their hashes
    rows     UInt64  -- how many there are in hours
) ENGINE = {engine} ORDER BY (day, attempt);

-- Days whose minutes were let go, on the first shard. The last pruning of a day
-- counts: of part 0, only what was received since, and no part of another one.
CREATE TABLE IF NOT EXISTS prunings (
    day      UInt32, -- YYYYMMDD
    pruning  UInt64,
    since_ms Int64,
    made_ms  Int64,
    rows     Array(UInt64) -- of the part, on each shard
) ENGINE = {engine} ORDER BY (day, pruning);

-- Numbers of the batches that a pruning merged.
CREATE TABLE IF NOT EXISTS gone (
    pruning UInt64,
    agent   String,
    epoch   String,
    lo      UInt64,
    hi      UInt64 -- inclusive
) ENGINE = {engine} ORDER BY (pruning, agent, epoch, lo);

-- Batches that count in no sum: conflicts and quarantine.
CREATE TABLE IF NOT EXISTS aside (
    agent       String,
    epoch       String,
    seq         UInt64,
    hash        FixedString(32),
    kind        String, -- conflict, quarantine
    reason      String,
    received_ms Int64,
    body        String
) ENGINE = {engine} ORDER BY (agent, epoch, seq, hash);

-- Who wants a document under a name, on the first shard. asked_s is the
-- server's clock when the name was found free, made_s when the row was
-- written; a claim that was longer than grace_s on its way counts for nothing.
CREATE TABLE IF NOT EXISTS claims (
    name    String,
    hash    FixedString(32), -- SHA-256 of the body
    asked_s Int64,
    grace_s Int64,
    made_s  Int64 DEFAULT toInt64(toUInt32(now())),
    body    String
) ENGINE = {engine} ORDER BY (name, hash, asked_s, made_s);

-- Signs of life of collectors, on the first shard.
CREATE TABLE IF NOT EXISTS lives (
    start_ms Int64,
    beat_ms  Int64 -- when it still ran
) ENGINE = {engine} ORDER BY (start_ms, beat_ms);
