"""Sequences: all of them, and one with its steps, its calendar and policy, and how its enrollments stand."""

from __future__ import annotations

from collections.abc import Iterator

from sequencer.core.calendar import Calendar
from sequencer.core.errors import NotFound
from sequencer.core.policy import Policy, Reaction
from sequencer.core.sequence import Sequence
from sequencer.core.timeline import Timeline, plan
from sequencer.engine.explanation import why_ended
from sequencer.engine.results import Statistics
from sequencer.engine.stored import StoredSequence
from sequencer.http.inspector import wording
from sequencer.http.inspector.frame import framed, link
from sequencer.http.inspector.moments import moment
from sequencer.http.inspector.rows import cards
from sequencer.http.inspector.strip import Mark, strip
from sequencer.http.inspector.visit import Visit, to_number
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import date_ranges, name, number, plural, share, words
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.tables import table

__all__ = ["sequence_page", "sequences_page"]

_PER_PAGE = 50
_MOST_HOLIDAYS = 40
_DAYS = {"mon": "Mon", "tue": "Tue", "wed": "Wed", "thu": "Thu", "fri": "Fri", "sat": "Sat", "sun": "Sun"}


def sequences_page(visit: Visit) -> str:
    """All sequences of the account, and how each stands."""
    offset = to_number(visit.asked("offset")) or 0
    found = visit.engine.stored_sequences(offset=offset, limit=_PER_PAGE + 1)
    ids = Ids()
    columns = ["Sequence", "Steps", "Active", "Blocked", "Finished", "Reply rate"]
    rows = [_row(visit, each) for each in found[:_PER_PAGE]]
    more = len(found) > _PER_PAGE
    return framed(
        visit.base,
        "Sequences",
        element("h1", "Sequences"),
        cards(ids, "All sequences, and how many are in each", columns, rows, class_="cards counts")
        if rows
        else element("p", "There is no sequence yet.", class_="nothing"),
        element(
            "nav",
            link("First page", visit.url("sequences")) if offset else None,
            link("Next page", visit.url("sequences", offset=offset + _PER_PAGE)) if more else None,
            class_="leaves",
            aria_label="Further sequences",
        )
        if offset or more
        else None,
        visit=visit,
        at="sequences",
    )


def _row(visit: Visit, stored: StoredSequence) -> list[Content]:
    counts = visit.engine.statistics(stored.id)
    return [
        link(name(stored.sequence.name), visit.url("sequences", stored.id)),
        number(len(stored.sequence.steps)),
        number(counts.active),
        number(sum(counts.blocked.values())),
        number(sum(counts.finished.values())),
        _rate(counts),
    ]


def _rate(counts: Statistics) -> str:
    rate = counts.reply_rate
    return "\u2013" if rate is None else share(rate, 1)


def sequence_page(visit: Visit, id: int) -> str:
    """One sequence, also one that is deleted, whose enrollments are still there. Raises `NotFound`."""
    found = visit.engine.stored_sequences(ids=[id], deleted=True)
    if not found:
        raise NotFound("sequence", id)
    stored = found[0]
    sequence, counts, ids = stored.sequence, visit.engine.statistics(stored.id), Ids()
    timeline = plan(sequence, visit.now)
    return framed(
        visit.base,
        f"Sequence {stored.sequence.name}",
        element(
            "div",
            element("p", link("Sequences", visit.url("sequences")), f" / No. {stored.id}", class_="kicker"),
            element("h1", name(stored.sequence.name)),
            element(
                "p",
                f"{plural(len(sequence.steps), 'step')}, version {stored.version.version}. ",
                element("strong", "Deleted. ") if stored.deleted_at is not None else None,
                link("Who is in it", visit.url("enrollments", sequence=stored.id)),
                class_="under",
            ),
            class_="heading",
        ),
        _statistics(visit, ids, stored, counts),
        element(
            "section",
            element("h2", "If somebody were enrolled now", id="plan"),
            strip(ids, "The plan over time", list(_marks(timeline)), sequence.calendar, visit.now, visit.now),
            _steps(visit, timeline),
            aria_labelledby="plan",
        ),
        element(
            "section",
            element("h2", "Calendar", id="calendar"),
            _list(_calendar(sequence.calendar)),
            aria_labelledby="calendar",
        ),
        element(
            "section",
            element("h2", "Policy", id="policy"),
            _list(_policy(sequence.policy)),
            aria_labelledby="policy",
        ),
        element(
            "section",
            element("h2", "About it", id="about"),
            _list(_about(visit, stored, sequence)),
            aria_labelledby="about",
        ),
        visit=visit,
        at="sequences",
    )


def _statistics(visit: Visit, ids: Ids, stored: StoredSequence, counts: Statistics) -> Element:
    figures = [
        (number(counts.active), "active", {"state": "active"}),
        (number(sum(counts.blocked.values())), "blocked", {"state": "blocked"}),
        (number(sum(counts.finished.values())), "finished", {"state": "finished"}),
    ]
    reasons = [("Blocked", wording.why_blocked(key), count, {"reason": key}) for key, count in counts.blocked.items()]
    reasons += [("Finished", why_ended(key), count, {"ended": key}) for key, count in counts.finished.items()]
    return element(
        "section",
        element("h2", "How they stand", id="stand"),
        element(
            "ul",
            [
                element(
                    "li",
                    element("strong", count),
                    link(said, visit.url("enrollments", sequence=stored.id, **query)),
                )
                for count, said, query in figures
            ],
            element(
                "li",
                element("strong", _rate(counts)),
                "ended by a reply",
                element("span", "of those that a reply has ended or that ran to the end", class_="small"),
            ),
            class_="figures",
        ),
        table(
            ids,
            "Why",
            ["State", "Reason", "Enrollments"],
            [
                [state, f"because {why}", link(number(n), visit.url("enrollments", sequence=stored.id, **query))]
                for state, why, n, query in reasons
            ],
            texts=2,
        )
        if reasons
        else None,
        aria_labelledby="stand",
    )


def _marks(timeline: Timeline) -> Iterator[Mark]:
    for step in timeline:
        says = f"step {step.position}, {wording.kind(step.step).lower()}"
        yield Mark(step.position, step.estimated_execute_at, step.step.is_email, "planned", says)


def _steps(visit: Visit, timeline: Timeline) -> Element:
    return element(
        "ol",
        [
            element(
                "li",
                element("p", wording.kind(each.step), class_="label-line"),
                element("h3", f"Step {each.position}: ", element("span", name(wording.doing(each.step)))),
                element("p", moment(each.estimated_execute_at, timeline.timezone, visit.now)),
                element("p", wording.delay(each.step.after, each.position), class_="small"),
                element("p", "Key: ", name(each.step.key), class_="small") if each.step.key else None,
                element(
                    "details",
                    element("summary", "Why then", element("span", f": step {each.position}", class_="unseen")),
                    element("ul", [element("li", reason) for reason in each.reasons]),
                ),
                id=f"step-{each.position}",
                class_=f"step planned {'mail' if each.step.is_email else 'task'}",
            )
            for each in timeline
        ],
        class_="steps",
    )


# -- what it runs under ---------------------------------------------------------------------------------------


def _list(given: Iterator[tuple[str, Content]]) -> Element:
    return element(
        "dl",
        [element("div", element("dt", key), element("dd", value)) for key, value in given],
        class_="facts",
    )


def _calendar(calendar: Calendar) -> Iterator[tuple[str, Content]]:
    yield "Clock", f"{calendar.timezone}, where an enrollment has none of its own"
    yield "Working days", ", ".join(_DAYS[each] for each in calendar.working_days)
    yield "Mails leave on", ", ".join(_DAYS[each] for each in calendar.send_days)
    windows = [
        f"{', '.join(_DAYS[day] for day in each.days)}: {each.opens}\u2013{each.closes}"
        for each in calendar.send_windows
    ]
    yield "Mails leave at", [element("div", each) for each in windows] or "any time of these days"
    holidays = date_ranges(calendar.holidays[:_MOST_HOLIDAYS], year=True)
    rest = len(calendar.holidays) - _MOST_HOLIDAYS
    shown = ", ".join(holidays) + (f", and {number(rest)} more" if rest > 0 else "")
    yield "Holidays", shown or "none"


def _policy(policy: Policy) -> Iterator[tuple[str, Content]]:
    for kind, reaction in policy.on.items():
        yield words(kind), _reaction(reaction)
    exclusive = "in this sequence" if policy.exclusive == "sequence" else "in any sequence"
    yield "At the same time", f"once {exclusive}"
    yield "Again after the end", "at once" if not policy.reenroll_after else f"after {policy.reenroll_after} days"
    yield "Tried", f"at most {plural(policy.retry.attempts, 'time')}, at first after {number(policy.retry.first)} s"
    yield "A way to opt out", "in every mail" if policy.unsubscribe.enabled else "not in the mails"


def _reaction(reaction: Reaction) -> str:
    if reaction.does == "block":
        return f"blocks it for {reaction.duration}" if reaction.duration else "blocks it"
    return "ends it" if reaction.does == "finish" else "is noted"


def _about(visit: Visit, stored: StoredSequence, sequence: Sequence) -> Iterator[tuple[str, Content]]:
    yield "Key", name(stored.key)
    yield "First saved", moment(stored.created_at, sequence.calendar.timezone, visit.now)
    yield "Last changed", moment(stored.updated_at, sequence.calendar.timezone, visit.now)
    if stored.creator_id is not None:
        yield "Made by", name(stored.creator_id)
