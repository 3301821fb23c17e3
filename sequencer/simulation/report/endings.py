"""How they end, and how long that takes: a bar for each sequence that everybody is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sequencer.simulation.answering import PEOPLE
from sequencer.simulation.report.drawing import Ids, ornament, percent
from sequencer.simulation.report.figures import data, duration, name, number, outcome, plural, share, words
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.tables import folded, table

__all__ = ["ORDER", "endings", "finishing", "kind_of", "ordered"]

ORDER = (
    "meeting_booked",
    "converted",
    "replied",
    "completed",
    "ongoing",
    "unsubscribed",
    "bounced",
    "blocked",
    "refused",
)
_BAR = 30
_LOW, _HIGH = "5\u202f%", "95\u202f%"


def kind_of(key: str) -> str:
    """The class of an outcome's colour; those that the sheet does not know share one."""
    return f"end-{key.replace('_', '-')}" if key in ORDER else "end-other"


def ordered(outcomes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Outcomes from the best to the worst, others by name before those that never began."""
    place = {key: at for at, key in enumerate(ORDER)}
    return sorted(outcomes.items(), key=lambda each: (place.get(each[0], place["refused"] - 0.5), each[0]))


def endings(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """A bar of all, one for each sequence if there are several, and the numbers."""
    several = answer["per_sequence"]
    rows = [_bar("Everybody", answer["outcomes"])] if len(several) != 1 else []
    rows += [_bar(name(each["name"]), each["outcomes"]) for each in several]
    spread = answer.get("intervals") or {}
    return [
        element(
            "figure",
            element("figcaption", _legend(answer["outcomes"])),
            element("ul", rows, class_="bars"),
        ),
        folded(
            "How they end in numbers", _table(ids, answer, spread), rows=sum(len(each["outcomes"]) for each in several)
        ),
        *_answers(ids, answer, spread),
        *_reasons(ids, several),
    ]


def _legend(outcomes: Mapping[str, int]) -> Element:
    whole = sum(outcomes.values())
    return element(
        "ul",
        [
            element(
                "li",
                element("i", class_=f"key {kind_of(key)}"),
                element("strong", share(count, whole)),
                element("span", outcome(key), class_="what"),
                element("span", number(count), class_="quiet"),
            )
            for key, count in ordered(outcomes)
        ],
        class_="legend",
    )


def _bar(title: Content, outcomes: Mapping[str, int]) -> Element:
    whole = sum(outcomes.values())
    return element(
        "li",
        element(
            "p", element("span", title, class_="name"), element("span", plural(whole, "enrollment"), class_="quiet")
        ),
        ornament(_BAR, _pieces(ordered(outcomes), whole), class_="bar"),
    )


def _pieces(pieces: Sequence[tuple[str, int]], whole: int) -> Iterator[Element]:
    before = 0
    for key, count in pieces:
        kind = kind_of(key)
        yield element("rect", x=percent(before, whole), y=0, width=percent(count, whole), height=_BAR, class_=kind)
        if count >= 0.1 * whole:
            middle = percent(before + count / 2, whole)
            yield element("text", share(count, whole), x=middle, y=20, class_=f"on {kind}", text_anchor="middle")
        before += count


def _table(ids: Ids, answer: Mapping[str, Any], spread: Mapping[str, Any]) -> Element:
    columns = ["Sequence", "How they end", "Enrollments", "Share"]
    if spread:
        columns += ["Mean", _LOW, _HIGH]
    return table(ids, "How they end", columns, _rows(answer, spread), texts=2)


def _rows(answer: Mapping[str, Any], spread: Mapping[str, Any]) -> Iterator[list[Content]]:
    for title, whole, outcomes, found in _groups(answer, spread, "outcomes"):
        for key, count in ordered(outcomes):
            yield [title, outcome(key), data(count), share(count, whole), *(three(found.get(key)) if spread else ())]


def _groups(
    answer: Mapping[str, Any], spread: Mapping[str, Any], section: str
) -> Iterator[tuple[Content, int, Mapping[str, int], Mapping[str, Any]]]:
    """Everybody, where there are several sequences, and each: its title, how many, what is counted, over the runs."""
    if len(answer["per_sequence"]) != 1:
        yield "Everybody", answer["enrollments"], answer[section], spread.get(section) or {}
    for at, each in enumerate(answer["per_sequence"]):
        yield name(each["name"]), each["enrollments"], each[section], part(spread, at).get(section) or {}


def _answers(ids: Ids, answer: Mapping[str, Any], spread: Mapping[str, Any]) -> Iterator[Element]:
    """What is answered, before the end or after it, which is no way to end."""
    if not answer["enrollments"]:
        return
    counts = answer["people"]
    replied, after = counts.get("replied", 0), counts.get("replied_after_end", 0)
    silent = counts.get("completed_unanswered", 0)
    yield element(
        "p",
        f"{number(replied)} replied in all, {number(after)} of them after the end: who answers the last mail has run "
        f"to the end by then, and that stays so. {number(silent)} ran to the end without an answer.",
        class_="reading",
    )
    rows: list[list[Content]] = [
        [
            title,
            PEOPLE[key].capitalize(),
            data(count),
            share(count, whole),
            *(three(found.get(key)) if spread else ()),
        ]
        for title, whole, people, found in _groups(answer, spread, "people")
        for key, count in people.items()
    ]
    columns = ["Sequence", "What they answer", "Enrollments", "Share", *(["Mean", _LOW, _HIGH] if spread else ())]
    yield folded("Who answers in numbers", table(ids, "Who answers", columns, rows, texts=2), rows=len(rows))


def part(spread: Mapping[str, Any], place: int) -> Mapping[str, Any]:
    """What belongs to a sequence, by its place."""
    several = spread.get("per_sequence") or []
    found: Mapping[str, Any] = several[place] if place < len(several) else {}
    return found


def three(found: Mapping[str, float] | None) -> list[Content]:
    """The mean over the runs and where nine of ten lie, as cells."""
    found = found or {}
    return [data(found.get(each)) for each in ("mean", "low", "high")]


def _reasons(ids: Ids, several: Sequence[Mapping[str, Any]]) -> Iterator[Element]:
    rows = [
        [name(each["name"]), how, words(reason), data(count)]
        for each in several
        for how, counts in (("Blocked", each["blocked"]), ("Not enrolled", each["refused"]))
        for reason, count in counts.items()
    ]
    if rows:
        titles = ["Sequence", "What", "Why", "Enrollments"]
        yield folded(
            "Why some are blocked or not enrolled", table(ids, "Reasons", titles, rows, texts=3), rows=len(rows)
        )


# -- how long it takes ------------------------------------------------------------------------------------------


def finishing(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """For each sequence in how many days half, and nine of ten, have run to the end."""
    several, spread = answer["per_sequence"], answer.get("intervals") or {}
    longest = max((each["time_to_finish"]["p90_hours"] or 0 for each in several), default=0)
    if not longest:
        return [element("p", "Nobody runs to the end in this time.", class_="nothing")]
    columns = ["Sequence", "Ran to the end", "Half of them within", "Nine of ten within"]
    if spread:
        columns += ["Half: mean of the runs", "5\u202f%", "95\u202f%"]
    return [
        element(
            "figure",
            element(
                "figcaption",
                element("p", "From the enrollment to the last step, of those that ran to the end.", class_="told"),
            ),
            element("ul", [_time(each, longest) for each in several], class_="bars times"),
        ),
        folded("How long it takes in numbers", table(ids, "Time to finish", columns, _times(several, spread))),
    ]


def _time(sequence: Mapping[str, Any], longest: float) -> Element:
    found = sequence["time_to_finish"]
    half, most = found["median_hours"], found["p90_hours"]
    if half is None or most is None:
        says, drawn = "nobody yet", None
    else:
        says = f"half within {duration(half)}, nine of ten within {duration(most)}"
        drawn = [
            element("line", x1=0, x2="100%", y1=9, y2=9, class_="rule"),
            element("rect", x=0, y=4, width=percent(most, longest), height=10, class_="fill-mail behind"),
            element("rect", x=0, y=4, width=percent(half, longest), height=10, class_="fill-mail"),
        ]
    return element(
        "li",
        element("p", element("span", name(sequence["name"]), class_="name"), element("span", says, class_="quiet")),
        ornament(18, drawn, class_="bar"),
    )


def _times(several: Sequence[Mapping[str, Any]], spread: Mapping[str, Any]) -> Iterator[list[Content]]:
    for at, each in enumerate(several):
        found = each["time_to_finish"]
        half, most = found["median_hours"], found["p90_hours"]
        row: list[Content] = [
            name(each["name"]),
            data(found["count"]),
            data(half, duration(half)),
            data(most, duration(most)),
        ]
        if spread:
            over = (part(spread, at).get("time_to_finish") or {}).get("median_hours") or {}
            row += [data(over.get(key), duration(over.get(key))) for key in ("mean", "low", "high")]
        yield row
