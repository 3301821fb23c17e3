-- The mails in actors' names, which caps count.
--
-- One row for one mail of one enrollment: expected (`waiting`, `planned`), handed over and not answered (`out`, `again`),
-- or left (`sent`). `step` is the number by which the keys of its effects know the step. What left before this table was
-- there, in the last 31 days of what is stored, is taken over from the history.

CREATE TABLE sequencer_mails (
    enrollment_id INTEGER NOT NULL,
    step INTEGER NOT NULL,
    account TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    standing TEXT NOT NULL,
    follow_up INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (enrollment_id, step)
) WITHOUT ROWID;

INSERT INTO sequencer_mails (enrollment_id, step, account, actor_id, at, standing)
SELECT enrollment_id, step, account, actor_id, max(at), 'sent'
FROM (
    SELECT v.enrollment_id, json_extract(v.body, '$[1]') AS step, e.account,
        json_quote(json_extract('[' || replace(e.doc, char(10), ',') || ']', '$[6]')) AS actor_id, v.at
    FROM sequencer_events v JOIN sequencer_enrollments e ON e.id = v.enrollment_id
    WHERE v.type = 'email_sent' AND v.at > (SELECT max(at) FROM sequencer_events) - 2678400000000
)
WHERE actor_id <> 'null'
GROUP BY enrollment_id, step;

CREATE INDEX sequencer_mails_actor ON sequencer_mails (account, actor_id, standing, at);
