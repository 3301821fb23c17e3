-- The statements of the PostgreSQL store. Each has a name and says what it is for; `{schema}` is the schema that the
-- tables live in, `{row}` stands for the columns of an enrollment in the order of the codec, `{task}` for those of a task
-- on the board. A name that ends in `_many` is the same for many rows at once, which come as an array for each column.

-- -- sequences ---------------------------------------------------------------------------------------------------

-- find_sequence --
-- The sequence of that key: its id, its current version, and the digest of its templates.
SELECT id, version_id, templates_digest FROM {schema}.sequencer_sequences WHERE account = $1 AND key = $2

-- find_sequence_of_id --
-- The sequence with that id, if it is the account's.
SELECT id FROM {schema}.sequencer_sequences WHERE id = $2 AND account = $1

-- add_sequence --
-- A new sequence, without a version yet.
INSERT INTO {schema}.sequencer_sequences (account, key, version_id, templates_digest) VALUES ($1, $2, 0, '')
RETURNING id

-- set_sequence --
-- The current version of a sequence, and the digest of its templates.
UPDATE {schema}.sequencer_sequences SET version_id = $2, templates_digest = $3 WHERE id = $1

-- list_sequence --
-- A sequence as it is listed, now that it was saved under this name; whoever made it stays its creator.
UPDATE {schema}.sequencer_sequences SET
    name = $2, created_at = coalesce(created_at, $3), updated_at = $3, creator_id = coalesce(creator_id, $4::text),
    deleted_at = NULL
WHERE id = $1

-- lock_sequence --
-- Let nobody enroll in a sequence meanwhile, or replace it: whoever does has read it FOR KEY SHARE, by its key or its
-- id, which goes with all but this.
SELECT version_id FROM {schema}.sequencer_sequences WHERE id = $1 FOR UPDATE

-- unlist_sequence --
-- A sequence is deleted: it has no current version.
UPDATE {schema}.sequencer_sequences SET version_id = 0, updated_at = $2, deleted_at = $2 WHERE id = $1 AND version_id <> 0

-- list_sequences --
-- The current version of every sequence of an account.
SELECT version_id FROM {schema}.sequencer_sequences WHERE account = $1 AND version_id <> 0 ORDER BY key

-- listed_of_ids --
-- An account's sequences with these ids, as they are listed; the version of one that was deleted is its newest.
-- A process of the release before, which may still be writing, notes neither when a sequence was saved nor that it is back.
SELECT id,
    CASE version_id WHEN 0 THEN (SELECT max(v.id) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id)
    ELSE version_id END,
    creator_id,
    coalesce(created_at, (SELECT min(v.created_at) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id)),
    coalesce(updated_at, (SELECT max(v.created_at) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id)),
    CASE version_id WHEN 0 THEN deleted_at END
FROM {schema}.sequencer_sequences s
WHERE id = ANY ($1::bigint[]) AND account = $2
ORDER BY id

-- listed_sequences --
-- A page of an account's sequences by id, perhaps of one name only; without those that were deleted.
SELECT id, version_id, creator_id,
    coalesce(created_at, (SELECT min(v.created_at) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id)),
    coalesce(updated_at, (SELECT max(v.created_at) FROM {schema}.sequencer_versions v WHERE v.sequence_id = s.id)),
    NULL
FROM {schema}.sequencer_sequences s
WHERE account = $1 AND version_id <> 0 AND ($2::text IS NULL OR name = $2)
ORDER BY id LIMIT $3 OFFSET $4

-- find_version --
-- The version of a sequence that has this content.
SELECT id, version FROM {schema}.sequencer_versions WHERE sequence_id = $1 AND digest = $2

-- last_version --
-- The number of the newest version of a sequence.
SELECT coalesce(max(version), 0) FROM {schema}.sequencer_versions WHERE sequence_id = $1

-- add_version --
-- A new version.
INSERT INTO {schema}.sequencer_versions (sequence_id, version, digest, content, created_at) VALUES ($1, $2, $3, $4, $5)
RETURNING id

-- get_version --
-- A version by its id, with the key of its sequence.
SELECT v.id, s.key, v.version, v.sequence_id, v.digest, v.content
FROM {schema}.sequencer_versions v JOIN {schema}.sequencer_sequences s ON s.id = v.sequence_id
WHERE v.id = $1

-- drop_templates --
-- Forget the texts of a sequence.
DELETE FROM {schema}.sequencer_templates WHERE sequence_id = $1

-- add_template --
-- A text of a sequence.
INSERT INTO {schema}.sequencer_templates (sequence_id, template_id, subject, body) VALUES ($1, $2, $3, $4)

-- list_templates --
-- The texts of a sequence.
SELECT template_id, subject, body FROM {schema}.sequencer_templates WHERE sequence_id = $1 ORDER BY template_id

-- get_template --
-- The text behind a template id.
SELECT subject, body FROM {schema}.sequencer_templates WHERE sequence_id = $1 AND template_id = $2

-- -- enrollments -------------------------------------------------------------------------------------------------

-- new_ids --
-- So many ids for new enrollments.
SELECT nextval('{schema}.sequencer_enrollment_ids') FROM generate_series(1, $1::bigint)

-- advance_counter --
-- Take so many numbers from a counter.
INSERT INTO {schema}.sequencer_counters AS c (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = c.value + excluded.value

-- get_counter --
-- Where a counter stands.
SELECT value FROM {schema}.sequencer_counters WHERE name = $1

-- insert --
-- A new enrollment.
INSERT INTO {schema}.sequencer_enrollments ({row})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)

-- insert_many --
-- As `insert`, as a copy.
COPY {schema}.sequencer_enrollments ({row}) FROM STDIN

-- save --
-- A decision that leaves the state as it is, if nobody was faster and the claim, where one is named, is in force.
-- What was set aside was so for what is another now: it does not wait for its lease any more.
UPDATE {schema}.sequencer_enrollments
SET wake_at = $4, revision = $5, updated_at = $6, doc = $7,
    lease_until = CASE WHEN $8::boolean THEN NULL ELSE coalesce($9, CASE WHEN fence >= 0 THEN lease_until END) END,
    fence = coalesce($10, fence)
WHERE id = $1 AND revision = $2 AND ($3::bigint IS NULL OR (fence = $3 AND lease_until IS NOT NULL))

-- save_with_state --
-- A decision that may change the state and its reason; else as `save`.
UPDATE {schema}.sequencer_enrollments
SET wake_at = $4, revision = $5, updated_at = $6, doc = $7,
    lease_until = CASE WHEN $8::boolean THEN NULL ELSE coalesce($9, CASE WHEN fence >= 0 THEN lease_until END) END,
    fence = coalesce($10, fence),
    state = $11, reason = $12, finished_at = $13
WHERE id = $1 AND revision = $2 AND ($3::bigint IS NULL OR (fence = $3 AND lease_until IS NOT NULL))

-- save_many --
-- As `save`; answers with the ids of those that were stored.
UPDATE {schema}.sequencer_enrollments e
SET wake_at = d.wake_at, revision = d.revision, updated_at = d.updated_at, doc = d.doc,
    lease_until = CASE WHEN d.release THEN NULL
        ELSE coalesce(d.lease_until, CASE WHEN e.fence >= 0 THEN e.lease_until END) END,
    fence = coalesce(d.fence, e.fence)
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
    $8::boolean[], $9::bigint[], $10::bigint[])
    AS d (id, before, held, wake_at, revision, updated_at, doc, release, lease_until, fence)
WHERE e.id = d.id AND e.revision = d.before
    AND (d.held IS NULL OR (e.fence = d.held AND e.lease_until IS NOT NULL))
RETURNING e.id

-- save_with_state_many --
-- As `save_with_state`; answers with the ids of those that were stored.
UPDATE {schema}.sequencer_enrollments e
SET wake_at = d.wake_at, revision = d.revision, updated_at = d.updated_at, doc = d.doc,
    lease_until = CASE WHEN d.release THEN NULL
        ELSE coalesce(d.lease_until, CASE WHEN e.fence >= 0 THEN e.lease_until END) END,
    fence = coalesce(d.fence, e.fence),
    state = d.state, reason = d.reason, finished_at = d.finished_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
    $8::boolean[], $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::bigint[])
    AS d (id, before, held, wake_at, revision, updated_at, doc, release, lease_until, fence,
        state, reason, finished_at)
WHERE e.id = d.id AND e.revision = d.before
    AND (d.held IS NULL OR (e.fence = d.held AND e.lease_until IS NOT NULL))
RETURNING e.id

-- move --
-- To which version of its sequence it belongs from now on.
UPDATE {schema}.sequencer_enrollments SET version_id = $2 WHERE id = $1

-- update_person --
-- What is stored of the person, anew.
UPDATE {schema}.sequencer_enrollments SET address = $2, personal = $3 WHERE id = $1

-- get --
-- An enrollment, if it is the account's, where one is named: who asks for another's does not even wait for its lock.
SELECT {row} FROM {schema}.sequencer_enrollments WHERE id = $1 AND ($2::text IS NULL OR account = $2)

-- due_leases --
-- Claimed by somebody whose lease has ended; soonest first.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE lease_until <= $1 AND ($3::text IS NULL OR account = $3)
ORDER BY lease_until, id LIMIT $2
FOR UPDATE SKIP LOCKED

-- due_waiting --
-- Not claimed, and to be looked at by now; soonest first.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE lease_until IS NULL AND wake_at <= $1 AND ($3::text IS NULL OR account = $3)
ORDER BY wake_at, id LIMIT $2
FOR UPDATE SKIP LOCKED

-- leases_ahead --
-- Claimed for longer than a lease takes: by a clock that was ahead.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE lease_until > $1 AND ($3::text IS NULL OR account = $3)
ORDER BY lease_until, id LIMIT $2
FOR UPDATE SKIP LOCKED

-- decisions_ahead --
-- Waiting, and decided by a clock that was ahead.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE updated_at > $1 AND wake_at IS NOT NULL AND lease_until IS NULL AND ($3::text IS NULL OR account = $3)
ORDER BY updated_at, id LIMIT $2
FOR UPDATE SKIP LOCKED

-- claim --
-- Take it, until an instant.
UPDATE {schema}.sequencer_enrollments SET lease_until = $2, fence = abs(fence) + 1 WHERE id = $1

-- claim_many --
-- As `claim`.
UPDATE {schema}.sequencer_enrollments e SET lease_until = d.until, fence = abs(e.fence) + 1
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, until) WHERE e.id = d.id

-- renew --
-- Prolong a claim that is still in force.
UPDATE {schema}.sequencer_enrollments SET lease_until = $3 WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL

-- renew_many --
-- As `renew`, but for those that somebody else holds at this moment, who must not hold up the others.
WITH free AS MATERIALIZED (
    SELECT id FROM {schema}.sequencer_enrollments WHERE id = ANY ($1::bigint[]) FOR UPDATE SKIP LOCKED
)
UPDATE {schema}.sequencer_enrollments e SET lease_until = d.until
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d (id, fence, until) JOIN free ON free.id = d.id
WHERE e.id = d.id AND e.fence = d.fence AND e.lease_until IS NOT NULL

-- release --
-- End a claim that is still in force.
UPDATE {schema}.sequencer_enrollments SET lease_until = NULL WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL

-- release_many --
-- As `release`.
UPDATE {schema}.sequencer_enrollments e SET lease_until = NULL
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, fence)
WHERE e.id = d.id AND e.fence = d.fence AND e.lease_until IS NOT NULL

-- set_aside --
-- Give up a claim that is still in force, but not its lease: nobody has that fence any more, nor comes to it by adding
-- to it, which is how a process of the release before takes a claim: so it lies that far below zero. (There is room in
-- 64 bits to set one aside two thousand million times.)
UPDATE {schema}.sequencer_enrollments SET fence = -(fence + 4294967296)
WHERE id = $1 AND fence = $2 AND lease_until IS NOT NULL

-- set_aside_many --
-- As `set_aside`.
UPDATE {schema}.sequencer_enrollments e SET fence = -(e.fence + 4294967296)
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, fence)
WHERE e.id = d.id AND e.fence = d.fence AND e.lease_until IS NOT NULL

-- look --
-- Whether an address is suppressed, of an enrollment that is still as it was, with the claim in force; else nothing.
SELECT EXISTS (SELECT 1 FROM {schema}.sequencer_suppressions s WHERE s.account = e.account AND s.hash = $4)
FROM {schema}.sequencer_enrollments e
WHERE e.id = $1 AND e.revision = $2 AND e.fence = $3 AND e.lease_until IS NOT NULL

-- next_lease --
-- When the first lease ends.
SELECT lease_until FROM {schema}.sequencer_enrollments
WHERE lease_until IS NOT NULL AND ($1::text IS NULL OR account = $1) ORDER BY lease_until LIMIT 1

-- oldest_lease --
-- When the first lease ends, or ended, but for what was set aside until then: that is due.
SELECT lease_until FROM {schema}.sequencer_enrollments
WHERE lease_until IS NOT NULL AND (fence >= 0 OR lease_until > $1) AND ($2::text IS NULL OR account = $2)
ORDER BY lease_until LIMIT 1

-- oldest_set_aside --
-- Since when the first of what was set aside has to be looked at again.
SELECT lease_until FROM {schema}.sequencer_enrollments
WHERE lease_until <= $1 AND fence < 0 AND ($2::text IS NULL OR account = $2)
ORDER BY lease_until LIMIT 1

-- next_waiting --
-- When the first of those that are not claimed has to be looked at.
SELECT wake_at FROM {schema}.sequencer_enrollments
WHERE lease_until IS NULL AND wake_at IS NOT NULL AND ($1::text IS NULL OR account = $1) ORDER BY wake_at LIMIT 1

-- ongoing_of_resource --
-- Not finished, of a resource, perhaps of one sequence.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND resource_type = $2 AND resource_id = $3 AND state <> 'finished'
    AND ($4::bigint IS NULL OR sequence_id = $4)
ORDER BY id

-- ongoing_of_address --
-- Not finished, of an address, perhaps of one sequence.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND address = $2 AND state <> 'finished' AND ($3::bigint IS NULL OR sequence_id = $3)
ORDER BY id

-- ongoing_of_sequence --
-- Not finished, of a sequence.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE sequence_id = $2 AND state IN ('active', 'blocked') AND account = $1
ORDER BY id

-- ongoing_of_account --
-- Not finished, of an account.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND state IN ('active', 'blocked')
ORDER BY id

-- ongoing_of_resources --
-- Not finished, of any of these resources of a type. Each is looked up by itself, however many are asked about: a plan
-- made for all of them at once might read the whole table.
SELECT {row} FROM unnest($1::text[]) AS who CROSS JOIN LATERAL (
    SELECT * FROM {schema}.sequencer_enrollments
    WHERE account = $2 AND resource_type = $3 AND resource_id = who AND state <> 'finished' OFFSET 0
) AS found ORDER BY id

-- ongoing_of_addresses --
-- Not finished, of any of these addresses.
SELECT {row} FROM unnest($1::text[]) AS who CROSS JOIN LATERAL (
    SELECT * FROM {schema}.sequencer_enrollments
    WHERE account = $2 AND address = who AND state <> 'finished' OFFSET 0
) AS found ORDER BY id

-- last_finished_of_resources --
-- Which of each of these resources of a type finished last, perhaps in one sequence.
SELECT {row} FROM unnest($1::text[]) AS who CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT * FROM {schema}.sequencer_enrollments WHERE account = $2 AND resource_type = $3 AND resource_id = who OFFSET 0
    ) AS theirs WHERE ($4::bigint IS NULL OR sequence_id = $4) AND state = 'finished' ORDER BY finished_at DESC, id DESC LIMIT 1
) AS found

-- last_finished_of_addresses --
-- Which of each of these addresses finished last, perhaps in one sequence.
SELECT {row} FROM unnest($1::text[]) AS who CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT * FROM {schema}.sequencer_enrollments WHERE account = $2 AND address = who OFFSET 0
    ) AS theirs WHERE ($3::bigint IS NULL OR sequence_id = $3) AND state = 'finished' ORDER BY finished_at DESC, id DESC LIMIT 1
) AS found

-- made_with --
-- Which were made with any of these idempotency keys.
SELECT {row} FROM {schema}.sequencer_enrollments WHERE id IN (
    SELECT enrollment_id FROM {schema}.sequencer_refs
    WHERE account = $2 AND kind = 'idempotency' AND value = ANY ($1::text[])
)

-- addresses_of --
-- Every address of a resource.
SELECT DISTINCT address FROM {schema}.sequencer_enrollments
WHERE account = $1 AND resource_type = $2 AND resource_id = $3 AND address IS NOT NULL
ORDER BY address

-- page_of_ongoing --
-- A page of the enrollments in a state that is not final.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND state = $4 AND id > $2 AND ($5::bigint IS NULL OR sequence_id = $5)
    AND ($7::text IS NULL OR resource_type = $7)
ORDER BY id LIMIT $3 OFFSET $6

-- page --
-- A page of all enrollments.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND id > $2 AND ($4::text IS NULL OR state = $4) AND ($5::bigint IS NULL OR sequence_id = $5)
    AND ($7::text IS NULL OR resource_type = $7)
ORDER BY id LIMIT $3 OFFSET $6

-- page_before --
-- As `page`, on the schema before its index.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND id > $2 AND ($4::text IS NULL OR state = $4) AND ($5::bigint IS NULL OR sequence_id = $5)
    AND ($7::text IS NULL OR resource_type = $7)
ORDER BY id LIMIT $3 OFFSET $6

-- page_of_resources --
-- A page of the enrollments of several resources of a type, from the first.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $2 AND resource_type = $7 AND resource_id = ANY ($1::text[]) AND id > $3
    AND ($5::text IS NULL OR state = $5) AND ($6::bigint IS NULL OR sequence_id = $6)
    AND ($8::text IS NULL OR reason = $8)
ORDER BY id LIMIT $4

-- page_of_reason --
-- A page of those that are blocked or over for a reason, in one of two states, sequence by sequence.
SELECT {row} FROM {schema}.sequencer_enrollments WHERE id IN (
    SELECT e.id FROM {schema}.sequencer_sequences s
    JOIN {schema}.sequencer_enrollments e ON e.sequence_id = s.id
    WHERE s.account = $1 AND ($4::bigint IS NULL OR s.id = $4) AND e.state IN ($7, $8) AND e.reason = $9 AND e.id > $2
        AND ($6::text IS NULL OR e.resource_type = $6)
    ORDER BY e.id LIMIT $3 OFFSET $5
)
ORDER BY id

-- of_address --
-- All enrollments of an address.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND address = $2
ORDER BY id

-- of_ids --
-- An account's enrollments with these ids.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE id = ANY ($1::bigint[]) AND account = $2
ORDER BY id

-- look_waiting --
-- As `due_waiting`, of one account and only to be looked at; its active ones.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE lease_until IS NULL AND wake_at <= $1 AND account = $3 AND state = 'active'
ORDER BY wake_at, id LIMIT $2 OFFSET $4

-- blocked --
-- A page of those that are blocked for a reason.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE account = $1 AND state = 'blocked' AND id > $3 AND reason = $2
ORDER BY id LIMIT $4

-- blocked_of_sequence --
-- A page of those of a sequence that are blocked for a reason.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE sequence_id = $5 AND state = 'blocked' AND reason = $2 AND id > $3 AND account = $1
ORDER BY id LIMIT $4

-- in_other_versions --
-- A page of those of a sequence, not finished, that are not in a version; perhaps only those in a certain other one.
SELECT {row} FROM {schema}.sequencer_enrollments
WHERE sequence_id = $2 AND state IN ('active', 'blocked') AND id > $3 AND account = $1 AND version_id <> $5
    AND ($6::bigint IS NULL OR version_id = $6)
ORDER BY id LIMIT $4

-- statistics --
-- How many of a sequence stand how.
SELECT state, reason, count(*) FROM {schema}.sequencer_enrollments
WHERE sequence_id = (SELECT id FROM {schema}.sequencer_sequences WHERE id = $2 AND account = $1)
GROUP BY state, reason

-- count_waiting --
-- How many are not claimed and have to be looked at by now; no more than so many are counted.
SELECT count(*) FROM (
    SELECT 1 FROM {schema}.sequencer_enrollments
    WHERE lease_until IS NULL AND wake_at <= $1 AND ($3::text IS NULL OR account = $3) LIMIT $2
) AS found

-- count_leases --
-- How many are claimed with a lease that ends after an instant, and not after another, and perhaps only those that were
-- set aside, or were not; no more than so many are counted.
SELECT count(*) FROM (
    SELECT 1 FROM {schema}.sequencer_enrollments
    WHERE lease_until > $1 AND lease_until <= $2 AND ($3::boolean IS NULL OR (fence < 0) = $3)
        AND ($5::text IS NULL OR account = $5) LIMIT $4
) AS found

-- count_standing --
-- How many are in a state, by their reasons, sequence by sequence; no more than so many are counted in all.
SELECT reason, count(*) FROM (
    SELECT e.reason FROM {schema}.sequencer_sequences s
    JOIN {schema}.sequencer_enrollments e ON e.sequence_id = s.id
    WHERE e.state = $1 AND ($3::text IS NULL OR s.account = $3) LIMIT $2
) AS found GROUP BY reason

-- -- references --------------------------------------------------------------------------------------------------

-- find --
-- Which enrollment an id belongs to.
SELECT enrollment_id FROM {schema}.sequencer_refs WHERE account = $1 AND kind = $2 AND value = $3

-- refer --
-- An id of the outside that names an enrollment from now on.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (account, kind, value) DO UPDATE SET enrollment_id = excluded.enrollment_id

-- refer_many --
-- As `refer`; no id may stand twice among them.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
ON CONFLICT (account, kind, value) DO UPDATE SET enrollment_id = excluded.enrollment_id

-- refer_once --
-- A key that names one enrollment for good.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id) VALUES ($1, $2, $3, $4)

-- refer_once_many --
-- As `refer_once`.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])

-- forget_reference --
-- An id that names an enrollment no longer.
DELETE FROM {schema}.sequencer_refs WHERE account = $1 AND kind = $2 AND value = $3 AND enrollment_id = $4

-- remember_address --
-- An address, by its hash, that an enrollment has had, or to which a mail of it has gone.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id)
VALUES ($1, 'address of ' || $2::bigint, $3, $2::bigint)
ON CONFLICT (account, kind, value) DO NOTHING

-- remember_address_many --
-- As `remember_address`.
INSERT INTO {schema}.sequencer_refs (account, kind, value, enrollment_id)
SELECT account, 'address of ' || id, hash, id FROM unnest($1::text[], $2::bigint[], $3::text[]) AS new (account, id, hash)
ON CONFLICT (account, kind, value) DO NOTHING

-- other_addresses_of --
-- What has been remembered like that of a resource's enrollments.
SELECT DISTINCT r.value
FROM {schema}.sequencer_enrollments AS e
JOIN {schema}.sequencer_refs AS r ON r.account = e.account AND r.kind = 'address of ' || e.id
WHERE e.account = $1 AND e.resource_type = $2 AND e.resource_id = $3
ORDER BY r.value

-- forget_addresses --
-- Forget what has been remembered like that of an enrollment.
DELETE FROM {schema}.sequencer_refs WHERE account = $1 AND kind = 'address of ' || $2::bigint

-- -- events ------------------------------------------------------------------------------------------------------

-- add_event --
-- What has happened.
INSERT INTO {schema}.sequencer_events (enrollment_id, number, at, type, body) VALUES ($1, $2, $3, $4, $5)

-- add_event_many --
-- As `add_event`, as a copy.
COPY {schema}.sequencer_events (enrollment_id, number, at, type, body) FROM STDIN

-- events --
-- The history of an enrollment.
SELECT enrollment_id, number, at, type, body FROM {schema}.sequencer_events WHERE enrollment_id = $1 ORDER BY number

-- events_after --
-- What has happened to all enrollments since, as far as it is settled, and whose it is.
SELECT e.id, e.enrollment_id, e.number, e.at, e.type, e.body,
    n.account, n.version_id, n.resource_type, n.resource_id, n.doc
FROM {schema}.sequencer_events e JOIN {schema}.sequencer_enrollments n ON n.id = e.enrollment_id
WHERE e.id > $1 AND e.id <= $3 ORDER BY e.id LIMIT $2

-- last_event --
-- The number of the last event that is settled, also if it was purged.
SELECT $1::bigint

-- settled --
-- Up to which number every event that there will ever be is there for the next statement. Whoever may write events
-- holds a lock, whose second key is the last number that was given out when it began: its own come after that. The last
-- number is read, and kept, before the locks are. Also whether that can be said at all, of what is seen here.
WITH now AS MATERIALIZED (
    SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS until FROM {schema}.sequencer_event_ids
)
SELECT least(until, until - max(mod(until - objid::bigint + 3221225472, 2147483648) - 1073741824)),
    current_setting('transaction_isolation') = 'read committed' AND NOT pg_is_in_recovery()
FROM now LEFT JOIN pg_catalog.pg_locks ON locktype = 'advisory' AND objsubid = 2 AND classid::bigint = $1
    AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
GROUP BY until

-- announce --
-- That events may be written from now on, until the transaction ends: see `settled`.
SELECT pg_advisory_xact_lock_shared($1, (CASE WHEN is_called THEN last_value ELSE 0 END % 2147483648)::int)
FROM {schema}.sequencer_event_ids

-- set_counter --
-- Set a counter.
INSERT INTO {schema}.sequencer_counters (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- -- reports and suppression -------------------------------------------------------------------------------------

-- get_report --
-- A report that was handled.
SELECT digest, changed FROM {schema}.sequencer_reports WHERE account = $1 AND key = $2

-- add_report --
-- Note that a report was handled.
INSERT INTO {schema}.sequencer_reports (account, key, digest, changed, handled_at) VALUES ($1, $2, $3, $4, $5)

-- suppress --
-- Suppress an address.
INSERT INTO {schema}.sequencer_suppressions (account, hash, address, suppressed_at, reason) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, hash) DO NOTHING

-- unsuppress --
-- Lift a suppression.
DELETE FROM {schema}.sequencer_suppressions WHERE account = $1 AND hash = $2

-- is_suppressed --
-- Whether an address is suppressed.
SELECT 1 FROM {schema}.sequencer_suppressions WHERE account = $1 AND hash = $2

-- suppressed_among --
-- Which of these addresses, by their hashes, are suppressed.
SELECT hash FROM {schema}.sequencer_suppressions WHERE account = $2 AND hash = ANY ($1::text[])

-- suppressions --
-- All suppressions of an account, oldest first.
SELECT address, suppressed_at, reason FROM {schema}.sequencer_suppressions WHERE account = $1 ORDER BY suppressed_at, id

-- -- the task board ----------------------------------------------------------------------------------------------

-- add_task --
-- A task on the board.
INSERT INTO {schema}.sequencer_tasks (account, enrollment_id, position, key, actor_id, resource_type, resource_id,
    task_content, due_at, created_at, status, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING id

-- task_of_key --
-- The task that was created under a key.
SELECT id FROM {schema}.sequencer_tasks WHERE key = $1

-- close_task --
-- Close an open task.
UPDATE {schema}.sequencer_tasks SET status = $2, closed_at = $3 WHERE id = $1 AND status = 'open'

-- get_task --
-- A task.
SELECT {task} FROM {schema}.sequencer_tasks WHERE id = $1

-- list_tasks --
-- A page of the tasks with a status.
SELECT {task} FROM {schema}.sequencer_tasks
WHERE account = $1 AND status = $4 AND id > $2 AND ($5::text IS NULL OR actor_id = $5)
ORDER BY id LIMIT $3

-- list_all_tasks --
-- A page of all tasks.
SELECT {task} FROM {schema}.sequencer_tasks
WHERE account = $1 AND id > $2 AND ($5::text IS NULL OR actor_id = $5) AND $4::text IS NULL
ORDER BY id LIMIT $3

-- -- mails in actors' names -------------------------------------------------------------------------------------

-- mail_renumbered --
-- A mail goes out in another name ($3), or as another mail ($4): what may have left before is counted where it was,
-- under a number below zero.
UPDATE {schema}.sequencer_mails SET
    standing = 'sent',
    step = (SELECT least(0, min(step)) - 1 FROM {schema}.sequencer_mails WHERE enrollment_id = $1)
WHERE enrollment_id = $1 AND step = $2 AND standing IN ('sent', 'again') AND (actor_id <> $3 OR $4 = 1)

-- mail_out --
-- A mail is handed over; what may have left before stays on record.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing)
VALUES ($1, $2, $3, $4, $5, 'out')
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    account = excluded.account, actor_id = excluded.actor_id,
    at = CASE WHEN m.standing IN ('sent', 'again') THEN m.at ELSE excluded.at END,
    standing = CASE WHEN m.standing IN ('sent', 'again') THEN 'again' ELSE 'out' END

-- mail_out_many --
-- As `mail_out`; no mail may stand twice among them.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing)
SELECT *, 'out' FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    account = excluded.account, actor_id = excluded.actor_id,
    at = CASE WHEN m.standing IN ('sent', 'again') THEN m.at ELSE excluded.at END,
    standing = CASE WHEN m.standing IN ('sent', 'again') THEN 'again' ELSE 'out' END

-- mail_sent --
-- A mail left, or may have.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing)
VALUES ($1, $2, $3, $4, $5, 'sent')
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    actor_id = CASE WHEN m.standing IN ('waiting', 'planned') THEN excluded.actor_id ELSE m.actor_id END,
    at = CASE WHEN m.standing IN ('sent', 'again') THEN greatest(m.at, excluded.at) ELSE excluded.at END,
    standing = 'sent'

-- mail_sent_many --
-- As `mail_sent`; no mail may stand twice among them.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing)
SELECT *, 'sent' FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    actor_id = CASE WHEN m.standing IN ('waiting', 'planned') THEN excluded.actor_id ELSE m.actor_id END,
    at = CASE WHEN m.standing IN ('sent', 'again') THEN greatest(m.at, excluded.at) ELSE excluded.at END,
    standing = 'sent'

-- mail_back --
-- A mail did not leave.
DELETE FROM {schema}.sequencer_mails WHERE enrollment_id = $1 AND step = $2 AND standing IN ('out', $3)

-- mail_kept --
-- The last attempt of a mail did not leave, but one before may have.
UPDATE {schema}.sequencer_mails SET standing = 'sent' WHERE enrollment_id = $1 AND step = $2 AND standing = 'again'

-- expect_mail --
-- A mail will be due, or was put off.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing, follow_up)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    account = excluded.account, actor_id = excluded.actor_id, at = excluded.at, standing = excluded.standing,
    follow_up = excluded.follow_up
WHERE m.standing IN ('waiting', 'planned')

-- expect_mail_many --
-- As `expect_mail`; no mail may stand twice among them.
INSERT INTO {schema}.sequencer_mails AS m (enrollment_id, step, account, actor_id, at, standing, follow_up)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[])
ON CONFLICT (enrollment_id, step) DO UPDATE SET
    account = excluded.account, actor_id = excluded.actor_id, at = excluded.at, standing = excluded.standing,
    follow_up = excluded.follow_up
WHERE m.standing IN ('waiting', 'planned')

-- drop_expected --
-- An enrollment has no mail that waits any more.
DELETE FROM {schema}.sequencer_mails WHERE enrollment_id = $1 AND standing IN ('waiting', 'planned')

-- drop_expected_many --
-- As `drop_expected`.
DELETE FROM {schema}.sequencer_mails WHERE enrollment_id = ANY($1::bigint[]) AND standing IN ('waiting', 'planned')

-- count_mails --
-- How many mails of an actor are out, or left since, or will be due from then on; and when the last of them left.
SELECT
    (SELECT count(*) FROM {schema}.sequencer_mails
        WHERE account = $1 AND actor_id = $2 AND standing IN ('again', 'out'))
    + (SELECT count(*) FROM {schema}.sequencer_mails
        WHERE account = $1 AND actor_id = $2 AND standing = 'sent' AND at > $3)
    + (SELECT count(*) FROM {schema}.sequencer_mails
        WHERE account = $1 AND actor_id = $2 AND standing IN ('planned', 'waiting') AND at >= $4),
    (SELECT max(at) FROM {schema}.sequencer_mails WHERE account = $1 AND actor_id = $2 AND standing = 'sent'),
    (SELECT max(at) FROM {schema}.sequencer_mails WHERE account = $1 AND actor_id = $2 AND standing = 'again')

-- mails_left --
-- The mails of an actor that are out, or left since.
SELECT enrollment_id, step, at, standing FROM {schema}.sequencer_mails
WHERE account = $1 AND actor_id = $2 AND standing IN ('again', 'out')
UNION ALL
SELECT enrollment_id, step, at, standing FROM {schema}.sequencer_mails
WHERE account = $1 AND actor_id = $2 AND standing = 'sent' AND at > $3

-- mails_expected --
-- The mails of an actor that will be due from then on.
SELECT enrollment_id, step, at, standing, follow_up FROM {schema}.sequencer_mails
WHERE account = $1 AND actor_id = $2 AND standing IN ('planned', 'waiting') AND at >= $3

-- mails_ahead --
-- What left in the future of a corrected clock left by now.
UPDATE {schema}.sequencer_mails SET at = $3
WHERE account = $1 AND actor_id = $2 AND standing IN ('again', 'sent') AND at > $4

-- forget_mails --
-- Forget what left in an actor's name so long ago that no cap counts it.
DELETE FROM {schema}.sequencer_mails WHERE account = $1 AND actor_id = $2 AND standing = 'sent' AND at <= $3

-- -- forgetting --------------------------------------------------------------------------------------------------

-- of_resource --
-- The enrollments of a resource.
SELECT id FROM {schema}.sequencer_enrollments WHERE account = $1 AND resource_type = $2 AND resource_id = $3

-- erase --
-- Forget what is personal of an enrollment.
UPDATE {schema}.sequencer_enrollments SET personal = NULL, address = NULL WHERE id = $1

-- erase_tasks --
-- Forget the texts of an enrollment's tasks.
UPDATE {schema}.sequencer_tasks SET task_content = '' WHERE enrollment_id = $1

-- erase_suppression --
-- Forget a suppressed address, but not that it is suppressed.
UPDATE {schema}.sequencer_suppressions SET address = NULL WHERE account = $1 AND hash = $2

-- to_purge --
-- Finished before an instant, and nothing is out any more (a task to take off the board); oldest first.
SELECT id FROM {schema}.sequencer_enrollments
WHERE account = $1 AND state = 'finished' AND finished_at < $2 AND wake_at IS NULL
ORDER BY finished_at, id LIMIT $3

-- purge --
-- Delete an enrollment.
DELETE FROM {schema}.sequencer_enrollments WHERE id = $1

-- purge_events --
-- Delete the history of an enrollment.
DELETE FROM {schema}.sequencer_events WHERE enrollment_id = $1

-- purge_tasks --
-- Delete the closed tasks of an enrollment.
DELETE FROM {schema}.sequencer_tasks WHERE enrollment_id = $1 AND status <> 'open'

-- purge_mails --
-- Delete what is counted of an enrollment's mails, but for those that left since.
DELETE FROM {schema}.sequencer_mails
WHERE enrollment_id = $1 AND NOT (standing IN ('again', 'out', 'sent') AND at > $2)

-- -- looking after it ----------------------------------------------------------------------------------------------

-- count_everything --
-- How many sequences, enrollments, events, tasks and suppressions there are.
SELECT (SELECT count(*) FROM {schema}.sequencer_sequences), (SELECT count(*) FROM {schema}.sequencer_enrollments),
    (SELECT count(*) FROM {schema}.sequencer_events), (SELECT count(*) FROM {schema}.sequencer_tasks),
    (SELECT count(*) FROM {schema}.sequencer_suppressions)

-- count_states --
-- How many enrollments are in each state.
SELECT state, count(*) FROM {schema}.sequencer_enrollments GROUP BY state ORDER BY state

-- last_change --
-- When an enrollment was last changed.
SELECT max(updated_at) FROM {schema}.sequencer_enrollments

-- accounts --
-- Whose enrollments there are, and how many.
SELECT account, count(*) FROM {schema}.sequencer_enrollments GROUP BY account ORDER BY account

-- server --
-- What the server is and is set to, how big the tables are, and when the oldest transaction under way began that may
-- write events: it keeps later ones from those who listen.
SELECT current_setting('server_version'), current_setting('server_encoding'), current_setting('synchronous_commit'),
    (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind = 'r' AND c.relname LIKE 'sequencer\_%'),
    (SELECT (extract(epoch FROM min(a.xact_start)) * 1000000)::bigint FROM pg_catalog.pg_locks l
        JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid::bigint = $2
            AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))

-- -- the store itself --------------------------------------------------------------------------------------------

-- get_meta --
-- What the store knows about itself.
SELECT value FROM {schema}.sequencer_meta WHERE name = $1

-- joined --
-- Which store it is, and how the transaction sees what others commit.
SELECT value, current_setting('transaction_isolation') FROM {schema}.sequencer_meta WHERE name = 'origin'

-- joined_to_write --
-- As `joined`, and as `announce`.
SELECT value, current_setting('transaction_isolation'),
    pg_advisory_xact_lock_shared($1::int, (
        SELECT (CASE WHEN is_called THEN last_value ELSE 0 END % 2147483648)::int FROM {schema}.sequencer_event_ids
    ))
FROM {schema}.sequencer_meta WHERE name = 'origin'

-- has_schema --
-- Whether there is a schema.
SELECT oid::bigint FROM pg_catalog.pg_namespace WHERE nspname = $1

-- our_tables --
-- How many of our tables there are.
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename IN (
    'sequencer_migrations', 'sequencer_meta', 'sequencer_enrollments', 'sequencer_events', 'sequencer_versions')

-- schema_table --
-- Whether the list of migrations is there.
SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'sequencer_migrations'

-- schema_version --
-- The last migration that was applied.
SELECT coalesce(max(version), 0) FROM {schema}.sequencer_migrations

-- lock --
-- Wait for names, given as numbers, and hold them until the transaction ends.
SELECT pg_advisory_xact_lock(number) FROM unnest($1::bigint[]) AS number

-- lock_within --
-- Let nobody hold the whole to which the names belong that are locked next.
SELECT pg_advisory_xact_lock_shared(number) FROM unnest($1::bigint[]) AS number

-- -- tokens -----------------------------------------------------------------------------------------------------------

-- add_token --
-- A token, by its hash.
INSERT INTO {schema}.sequencer_tokens (account, digest, scope, actor_id, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id

-- token_of_digest --
-- The token with this hash.
SELECT id, account, scope, actor_id, name, created_at, revoked_at, digest FROM {schema}.sequencer_tokens WHERE digest = $1

-- token_in_force --
-- Whether the token with this hash is in force: a row, or none.
SELECT 1 FROM {schema}.sequencer_tokens WHERE digest = $1 AND revoked_at IS NULL

-- list_tokens --
-- The tokens of an account, or of all, oldest first.
SELECT id, account, scope, actor_id, name, created_at, revoked_at FROM {schema}.sequencer_tokens WHERE ($1::text IS NULL OR account = $1) ORDER BY id

-- revoke_token --
-- A token is not in force any more.
UPDATE {schema}.sequencer_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL AND ($3::text IS NULL OR account = $3)

-- -- webhooks ---------------------------------------------------------------------------------------------------------

-- add_webhook --
-- Where events are sent.
INSERT INTO {schema}.sequencer_webhooks (account, url, secret, types, created_at) VALUES ($1, $2, $3, $4, $5)
RETURNING id

-- list_webhooks --
-- The webhooks of an account, or of all, oldest first.
SELECT id, account, url, secret, types, created_at FROM {schema}.sequencer_webhooks WHERE ($1::text IS NULL OR account = $1) ORDER BY id

-- remove_webhook --
-- Nothing is sent there any more.
DELETE FROM {schema}.sequencer_webhooks WHERE id = $1 AND ($2::text IS NULL OR account = $2)

-- remove_deliveries --
-- What was on its way to a webhook, or given up.
DELETE FROM {schema}.sequencer_deliveries WHERE webhook_id = $1

-- add_delivery --
-- An event that has to arrive at a webhook.
INSERT INTO {schema}.sequencer_deliveries (webhook_id, enrollment_id, event_id, body, state, attempts, due_at, error)
VALUES ($1, $2, $3, $4, 'waiting', 0, $5, '')

-- add_delivery_many --
-- Events that have to arrive at webhooks, in this order.
INSERT INTO {schema}.sequencer_deliveries (webhook_id, enrollment_id, event_id, body, state, attempts, due_at, error)
SELECT webhook_id, enrollment_id, event_id, body, 'waiting', 0, due_at, ''
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[])
WITH ORDINALITY AS n (webhook_id, enrollment_id, event_id, body, due_at, place)
ORDER BY place

-- due_deliveries --
-- What is due at a webhook, of each enrollment only the first that has not arrived; soonest first. What lies further
-- ahead than it could is due, too. (One look at all that waits there: a look for each is what a planner without
-- statistics gets wrong.)
SELECT d.id, d.webhook_id, d.enrollment_id, d.event_id, d.body, d.state, d.attempts, d.due_at, d.error
FROM (
    SELECT id FROM (
        SELECT DISTINCT ON (enrollment_id) id, due_at FROM {schema}.sequencer_deliveries
        WHERE webhook_id = $1 AND state = 'waiting' ORDER BY enrollment_id, id
    ) firsts
    WHERE due_at <= $2 OR due_at > $4 ORDER BY due_at, id LIMIT $3
) due JOIN {schema}.sequencer_deliveries d ON d.id = due.id
ORDER BY d.due_at, d.id

-- next_delivery --
-- When something is due at any webhook next, of an account or of all: of each enrollment the first that has not arrived.
SELECT min(CASE WHEN firsts.due_at > $3 THEN $2 ELSE firsts.due_at END)
FROM (
    SELECT DISTINCT ON (webhook_id, enrollment_id) webhook_id, due_at FROM {schema}.sequencer_deliveries
    WHERE state = 'waiting' ORDER BY webhook_id, enrollment_id, id
) firsts JOIN {schema}.sequencer_webhooks w ON w.id = firsts.webhook_id
WHERE $1::text IS NULL OR w.account = $1

-- drop_delivery --
-- It has arrived.
DELETE FROM {schema}.sequencer_deliveries WHERE id = $1

-- set_delivery --
-- How a delivery stands after an attempt, or when it is to be sent again.
UPDATE {schema}.sequencer_deliveries SET state = $2, attempts = $3, due_at = $4, error = $5 WHERE id = $1

-- set_delivery_many --
-- The same for many.
UPDATE {schema}.sequencer_deliveries d
SET state = n.state, attempts = n.attempts, due_at = n.due_at, error = n.error
FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::bigint[], $5::text[]) AS n (id, state, attempts, due_at, error)
WHERE d.id = n.id

-- list_deliveries --
-- A page of the deliveries in a state, of an account's webhooks or of all, perhaps of one webhook only.
SELECT d.id, d.webhook_id, d.enrollment_id, d.event_id, d.body, d.state, d.attempts, d.due_at, d.error
FROM {schema}.sequencer_deliveries d JOIN {schema}.sequencer_webhooks w ON w.id = d.webhook_id
WHERE d.state = $1 AND d.id > $2 AND ($4::text IS NULL OR account = $4) AND ($5::bigint IS NULL OR webhook_id = $5)
ORDER BY d.id LIMIT $3
