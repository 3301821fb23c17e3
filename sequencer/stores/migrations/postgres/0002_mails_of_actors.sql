-- The mails in actors' names, which caps count.
--
-- One row for one mail of one enrollment: expected (`waiting`, `planned`), handed over and not answered (`out`, `again`),
-- or left (`sent`). `step` is the number by which the keys of its effects know the step. What left before this table was
-- there, in the last 31 days of what is stored, is taken over from the history.

CREATE TABLE {schema}.sequencer_mails (
    enrollment_id BIGINT NOT NULL,
    step BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    actor_id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL,
    standing TEXT COLLATE "C" NOT NULL,
    follow_up BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (enrollment_id, step)
);

INSERT INTO {schema}.sequencer_mails (enrollment_id, step, account, actor_id, at, standing)
SELECT enrollment_id, step, account, actor_id, max(at), 'sent'
FROM (
    SELECT v.enrollment_id, (v.body::json ->> 1)::bigint AS step, e.account,
        (('[' || replace(e.doc, chr(10), ',') || ']')::json -> 6)::text AS actor_id, v.at
    FROM {schema}.sequencer_events v JOIN {schema}.sequencer_enrollments e ON e.id = v.enrollment_id
    WHERE v.type = 'email_sent' AND v.at > (SELECT max(at) FROM {schema}.sequencer_events) - 2678400000000
) AS left_before
WHERE actor_id <> 'null'
GROUP BY enrollment_id, step, account, actor_id;

CREATE INDEX sequencer_mails_actor ON {schema}.sequencer_mails (account, actor_id, standing, at);
