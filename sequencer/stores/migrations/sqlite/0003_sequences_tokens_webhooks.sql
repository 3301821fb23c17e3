-- What the doors to the outside need: sequences that can be listed and deleted, tokens, and webhooks with what is on its
-- way to them.

-- A deleted sequence has no current version (0); its versions stay for the history. `creator_id` is JSON text, and NULL
-- where nobody said who it was.
ALTER TABLE sequencer_sequences ADD COLUMN name TEXT;
ALTER TABLE sequencer_sequences ADD COLUMN creator_id TEXT;
ALTER TABLE sequencer_sequences ADD COLUMN created_at INTEGER;
ALTER TABLE sequencer_sequences ADD COLUMN updated_at INTEGER;
ALTER TABLE sequencer_sequences ADD COLUMN deleted_at INTEGER;

UPDATE sequencer_sequences SET
    name = (SELECT json_extract(content, '$.name') FROM sequencer_versions WHERE id = version_id),
    created_at = (SELECT min(created_at) FROM sequencer_versions WHERE sequence_id = sequencer_sequences.id),
    updated_at = (SELECT created_at FROM sequencer_versions WHERE id = version_id);

-- For a page of one account's enrollments, however many others have.
CREATE INDEX sequencer_enrollments_listed ON sequencer_enrollments (account);

-- Who may come in at the HTTP door: a token by its hash only. `revoked_at` is NULL while it is in force.
CREATE TABLE sequencer_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
);

-- Where events are sent: `types` is a JSON list of those that are wanted, NULL for all.
CREATE TABLE sequencer_webhooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    types TEXT,
    created_at INTEGER NOT NULL
);

-- What has not arrived yet (`waiting`), and what was given up (`dead`); one row for one event and one webhook.
CREATE TABLE sequencer_deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id INTEGER NOT NULL,
    enrollment_id INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    error TEXT NOT NULL,
    UNIQUE (webhook_id, event_id)
);

CREATE INDEX sequencer_deliveries_due ON sequencer_deliveries (webhook_id, due_at) WHERE state = 'waiting';
CREATE INDEX sequencer_deliveries_order ON sequencer_deliveries (webhook_id, enrollment_id, id) WHERE state = 'waiting';
CREATE INDEX sequencer_deliveries_dead ON sequencer_deliveries (webhook_id, id) WHERE state = 'dead';
