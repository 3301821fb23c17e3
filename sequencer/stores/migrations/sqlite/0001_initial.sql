-- The first schema.
--
-- Every name begins with `sequencer_`, so that the tables can live in a host's own database file. Columns are INTEGER
-- or TEXT only, so that no converter which the host has registered catches them. Instants are microseconds since 1970
-- in UTC; a host's ids are JSON text.

CREATE TABLE sequencer_migrations (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    release TEXT NOT NULL
);

-- `origin`, the store's random id, and `secret`, the key of the hashes of suppressed addresses.
CREATE TABLE sequencer_meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The last id given out, and how far each listener has come.
CREATE TABLE sequencer_counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sequencer_sequences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    version_id INTEGER NOT NULL,
    templates_digest TEXT NOT NULL,
    UNIQUE (account, key)
);

CREATE TABLE sequencer_versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    digest TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (sequence_id, digest)
);

CREATE TABLE sequencer_templates (
    sequence_id INTEGER NOT NULL,
    template_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (sequence_id, template_id)
) WITHOUT ROWID;

CREATE TABLE sequencer_enrollments (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    sequence_id INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    address TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    wake_at INTEGER,
    lease_until INTEGER,
    fence INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    finished_at INTEGER,
    personal TEXT,
    doc TEXT NOT NULL
);

-- What has to be looked at next: claimed ones by the end of their lease, the others by when they wake.
CREATE INDEX sequencer_enrollments_next ON sequencer_enrollments (lease_until, wake_at)
    WHERE lease_until IS NOT NULL OR wake_at IS NOT NULL;
-- What was decided by a clock that was ahead.
CREATE INDEX sequencer_enrollments_ahead ON sequencer_enrollments (updated_at) WHERE wake_at IS NOT NULL;
CREATE INDEX sequencer_enrollments_resource ON sequencer_enrollments (account, resource_type, resource_id);
CREATE INDEX sequencer_enrollments_address ON sequencer_enrollments (account, address) WHERE address IS NOT NULL;
-- The last two change with the state only, not with every step.
CREATE INDEX sequencer_enrollments_standing ON sequencer_enrollments (sequence_id, state, reason);
CREATE INDEX sequencer_enrollments_state ON sequencer_enrollments (account, state, finished_at);

CREATE TABLE sequencer_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    enrollment_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (enrollment_id, number)
);

-- By which ids the outside names an enrollment: tasks, messages, a provider's ids, idempotency keys.
CREATE TABLE sequencer_refs (
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    enrollment_id INTEGER NOT NULL,
    PRIMARY KEY (account, kind, value)
) WITHOUT ROWID;

CREATE TABLE sequencer_reports (
    account TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    changed TEXT NOT NULL,
    handled_at INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;

-- Addresses that have opted out, by keyed hash; the address itself until it is erased.
CREATE TABLE sequencer_suppressions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    hash TEXT NOT NULL,
    address TEXT,
    suppressed_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    UNIQUE (account, hash)
);

-- The embedded task board.
CREATE TABLE sequencer_tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    enrollment_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT NOT NULL UNIQUE,
    actor_id TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    task_content TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    closed_at INTEGER
);

CREATE INDEX sequencer_tasks_listed ON sequencer_tasks (account, status);
CREATE INDEX sequencer_tasks_enrollment ON sequencer_tasks (enrollment_id);
