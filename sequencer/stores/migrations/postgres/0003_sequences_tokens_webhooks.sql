-- What the doors to the outside need: sequences that can be listed and deleted, tokens, and webhooks with what is on its
-- way to them.

-- A deleted sequence has no current version (0); its versions stay for the history. `creator_id` is JSON text, and NULL
-- where nobody said who it was.
ALTER TABLE {schema}.sequencer_sequences ADD COLUMN name TEXT;
ALTER TABLE {schema}.sequencer_sequences ADD COLUMN creator_id TEXT;
ALTER TABLE {schema}.sequencer_sequences ADD COLUMN created_at BIGINT;
ALTER TABLE {schema}.sequencer_sequences ADD COLUMN updated_at BIGINT;
ALTER TABLE {schema}.sequencer_sequences ADD COLUMN deleted_at BIGINT;

UPDATE {schema}.sequencer_sequences s SET
    name = (SELECT content::json ->> 'name' FROM {schema}.sequencer_versions v WHERE v.id = version_id),
    created_at = (SELECT min(v.created_at) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id),
    updated_at = (SELECT v.created_at FROM {schema}.sequencer_versions v WHERE v.id = version_id);

-- For a page of one account's enrollments, however many others have.
CREATE INDEX sequencer_enrollments_listed ON {schema}.sequencer_enrollments (account, id);

-- Who may come in at the HTTP door: a token by its hash only. `revoked_at` is NULL while it is in force.
CREATE TABLE {schema}.sequencer_tokens (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    scope TEXT COLLATE "C" NOT NULL,
    actor_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

-- Where events are sent: `types` is a JSON list of those that are wanted, NULL for all.
CREATE TABLE {schema}.sequencer_webhooks (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL,
    url TEXT COLLATE "C" NOT NULL,
    secret TEXT NOT NULL,
    types TEXT,
    created_at BIGINT NOT NULL
);

-- What has not arrived yet (`waiting`), and what was given up (`dead`); one row for one event and one webhook.
CREATE TABLE {schema}.sequencer_deliveries (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id BIGINT NOT NULL,
    enrollment_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    body TEXT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    error TEXT NOT NULL,
    UNIQUE (webhook_id, event_id)
);

CREATE INDEX sequencer_deliveries_due ON {schema}.sequencer_deliveries (webhook_id, due_at) WHERE state = 'waiting';
CREATE INDEX sequencer_deliveries_order ON {schema}.sequencer_deliveries (webhook_id, enrollment_id, id) WHERE state = 'waiting';
CREATE INDEX sequencer_deliveries_dead ON {schema}.sequencer_deliveries (webhook_id, id) WHERE state = 'dead';
