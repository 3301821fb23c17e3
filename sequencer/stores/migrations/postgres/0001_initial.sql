-- The first schema.
--
-- `{schema}` stands for the PostgreSQL schema that the store lives in. Every name begins with `sequencer_`, so that the
-- tables can live beside a host's own. Columns are BIGINT or TEXT only, compared byte by byte, so that what is found does
-- not depend on a locale, and one stored form serves all stores. Instants are microseconds since 1970 in UTC; a host's
-- ids are JSON text.

CREATE TABLE {schema}.sequencer_migrations (
    version BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    release TEXT NOT NULL
);

-- `origin`, the store's random id, and `secret`, the key of the hashes of suppressed addresses.
CREATE TABLE {schema}.sequencer_meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

INSERT INTO {schema}.sequencer_meta (name, value) VALUES
    ('origin', left(replace(gen_random_uuid()::text, '-', ''), 16)),
    ('secret', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));

-- How far each listener has come.
CREATE TABLE {schema}.sequencer_counters (
    name TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL
);

-- The ids of enrollments: not a column's own, so that many can be taken at once, before the rows are made.
CREATE SEQUENCE {schema}.sequencer_enrollment_ids;

CREATE TABLE {schema}.sequencer_sequences (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    version_id BIGINT NOT NULL,
    templates_digest TEXT NOT NULL,
    UNIQUE (account, key)
);

CREATE TABLE {schema}.sequencer_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    content TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (sequence_id, digest)
);

CREATE TABLE {schema}.sequencer_templates (
    sequence_id BIGINT NOT NULL,
    template_id TEXT COLLATE "C" NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (sequence_id, template_id)
);

-- Rows are updated all the time: room is left for that, and dead rows are cleared away sooner than usual.
CREATE TABLE {schema}.sequencer_enrollments (
    id BIGINT PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    sequence_id BIGINT NOT NULL,
    version_id BIGINT NOT NULL,
    resource_type TEXT COLLATE "C" NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    wake_at BIGINT,
    lease_until BIGINT,
    fence BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT,
    finished_at BIGINT,
    personal TEXT,
    doc TEXT NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);

-- What has to be looked at next: by when it wakes, and claimed ones by the end of their lease.
CREATE INDEX sequencer_enrollments_waiting ON {schema}.sequencer_enrollments (wake_at, id)
    WHERE lease_until IS NULL AND wake_at IS NOT NULL;
CREATE INDEX sequencer_enrollments_leased ON {schema}.sequencer_enrollments (lease_until, id)
    WHERE lease_until IS NOT NULL;
-- What was decided by a clock that was ahead.
CREATE INDEX sequencer_enrollments_ahead ON {schema}.sequencer_enrollments (updated_at, id)
    WHERE lease_until IS NULL AND wake_at IS NOT NULL;
CREATE INDEX sequencer_enrollments_resource
    ON {schema}.sequencer_enrollments (account, resource_type, resource_id);
CREATE INDEX sequencer_enrollments_address ON {schema}.sequencer_enrollments (account, address)
    WHERE address IS NOT NULL;
CREATE INDEX sequencer_enrollments_standing ON {schema}.sequencer_enrollments (sequence_id, state, reason, id);
CREATE INDEX sequencer_enrollments_state ON {schema}.sequencer_enrollments (account, state, id);
CREATE INDEX sequencer_enrollments_finished ON {schema}.sequencer_enrollments (account, finished_at, id)
    WHERE state = 'finished';

-- The numbers of events, in the order in which they were written. Those of one transaction become visible together, so
-- a reader goes only as far as no transaction under way can have a number below: see `settled` among the statements.
CREATE SEQUENCE {schema}.sequencer_event_ids;

CREATE TABLE {schema}.sequencer_events (
    id BIGINT PRIMARY KEY DEFAULT nextval('{schema}.sequencer_event_ids'),
    enrollment_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (enrollment_id, number)
);

-- By which ids the outside names an enrollment: tasks, messages, a provider's ids, idempotency keys.
CREATE TABLE {schema}.sequencer_refs (
    account TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    enrollment_id BIGINT NOT NULL,
    PRIMARY KEY (account, kind, value)
);

CREATE TABLE {schema}.sequencer_reports (
    account TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    digest TEXT NOT NULL,
    changed TEXT NOT NULL,
    handled_at BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);

-- Addresses that have opted out, by keyed hash; the address itself until it is erased.
CREATE TABLE {schema}.sequencer_suppressions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    address TEXT,
    suppressed_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (account, hash)
);

-- The embedded task board.
CREATE TABLE {schema}.sequencer_tasks (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    enrollment_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    key TEXT COLLATE "C" NOT NULL UNIQUE,
    actor_id TEXT COLLATE "C" NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    task_content TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    closed_at BIGINT
);

CREATE INDEX sequencer_tasks_listed ON {schema}.sequencer_tasks (account, status, id);
CREATE INDEX sequencer_tasks_enrollment ON {schema}.sequencer_tasks (enrollment_id);
