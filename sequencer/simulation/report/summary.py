"""What was simulated, the answer in a sentence, and the few figures that matter most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sequencer.simulation.report.daily import busiest
from sequencer.simulation.report.differences import sure
from sequencer.simulation.report.drawing import Ids
from sequencer.simulation.report.figures import data, day, moment, name, number, plural, share, words
from sequencer.simulation.report.markup import Content, Element, element
from sequencer.simulation.report.senders import called
from sequencer.simulation.report.tables import table

__all__ = ["assumed", "beside", "heading", "key_figures", "repeated", "sentence", "what"]


def heading(answer: Mapping[str, Any]) -> str:
    """A title for those who give none."""
    several = answer["sequences"]
    names = [str(each["name"]) for each in several]
    joined = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return joined if 0 < len(names) <= 3 and len(joined) <= 100 else f"{number(len(several))} sequences"


def what(answer: Mapping[str, Any]) -> Element:
    """Sequences, people, time, runs."""
    zone, until = answer["timezone"], answer.get("until")
    sequences = [
        [", " if at else None, name(each["name"]), f" ({plural(each['steps_total'], 'step')})"]
        for at, each in enumerate(answer["sequences"])
    ]
    ended = answer.get("ended_at")
    rows: list[tuple[str, Content]] = [
        ("Sequences" if len(sequences) != 1 else "Sequence", sequences),
        ("People", plural(answer["enrollments"], "enrollment")),
        ("From", moment(answer["start"], zone)),
        ("To", [moment(ended, zone) if ended else "\u2013", ", where it was stopped" if until else None]),
        ("Clock", name(zone)),
        ("Luck", f"{plural(answer['runs'], 'run')}, seed {answer['seed']}"),
    ]
    return element(
        "dl", [element("div", element("dt", title), element("dd", text)) for title, text in rows], class_="facts"
    )


def sentence(answer: Mapping[str, Any]) -> Element:
    """The answer in a sentence or two."""
    people, answered, totals = answer["enrollments"], answer["people"], answer["totals"]
    said = [
        f"{share(counts[key], people)} {text}{_after_end(answered, key, people)}"
        for counts, key, text in (
            (answered, "meeting_booked", "book a meeting"),
            (answered, "converted", "convert"),
            (answered, "replied", "reply"),
            (answered, "completed_unanswered", "run to the end without an answer"),
            (answer["outcomes"], "ongoing", "are still going on"),
            (answer["outcomes"], "blocked", "are blocked"),
        )
        if counts.get(key)
    ]
    ends = " and ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) if said else "nobody gets anywhere"
    mails, tasks = totals.get("emails", 0), totals.get("tasks", 0)
    runs = answer.get("runs", 1)
    of = f"In the first of {number(runs)} runs, of" if runs > 1 else "Of"
    text = (
        f"{of} {plural(people, 'enrollment')}, {ends}. That takes {plural(mails, 'mail')} and {plural(tasks, 'task')}"
    )
    best = busiest(answer, "emails")
    if best is not None:
        text += f"; the busiest day is {day(best[0], year=True)} with {plural(best[1], 'mail')}"
    return element("p", f"{text}.", class_="answer")


def _after_end(answered: Mapping[str, int], key: str, people: int) -> str:
    """How many of those answer after the end, which such an answer does not change."""
    after = answered.get(f"{key}_after_end", 0)
    return f" ({share(after, people)} after the end)" if after else ""


def beside(answer: Mapping[str, Any]) -> Element | None:
    """What another design changes about what matters most, in a sentence; None without another design."""
    compare = answer.get("compare")
    if compare is None:
        return None
    said: list[Content] = []
    for text, found in (
        ("people who book a meeting", compare["people"].get("meeting_booked")),
        ("who reply", compare["people"].get("replied")),
        ("mails", compare["totals"].get("emails")),
        ("overdue steps", compare["totals"].get("overdue")),
    ):
        if found is not None:
            clear = "" if sure(found) else ", which may be chance"
            said.append(
                [", " if said else " ", f"{text} {number(found['this'])} \u2192 {number(found['other'])}{clear}"]
            )
    return element("p", "With ", name(compare["with"]), ":", said, ".", class_="reading") if said else None


def key_figures(answer: Mapping[str, Any]) -> Element:
    """Figures with what explains each; of several runs, where nine of ten lie."""
    return element("ul", list(_figures(answer)), class_="figures")


def _figures(answer: Mapping[str, Any]) -> Iterator[Element]:
    people, answered, totals = answer["enrollments"], answer["people"], answer["totals"]
    spread = answer.get("intervals") or {}
    ends, sums = spread.get("outcomes") or {}, spread.get("totals") or {}
    replied, after = answered.get("replied", 0), answered.get("replied_after_end", 0)
    more = f"{share(replied, people)} of all" + (f", {number(after)} of them after the end" if after else "")
    yield _figure(replied, "replied", more, (spread.get("people") or {}).get("replied"))
    ran, silent = answer["outcomes"].get("completed", 0), answered.get("completed_unanswered", 0)
    more = f"{share(ran, people)} of all" + (f", {number(silent)} without an answer" if silent != ran else "")
    yield _figure(ran, "ran to the end", more, ends.get("completed"))
    yield _figure(totals.get("emails", 0), "mails", _most_mails(answer), sums.get("emails"))
    done, tasks = totals.get("tasks_completed", 0), totals.get("tasks", 0)
    yield _figure(tasks, "tasks", f"{share(done, tasks)} done" if tasks else "nobody has any", sums.get("tasks"))
    late = totals.get("overdue", 0)
    yield _figure(
        late, "overdue", _most_overdue(answer) if late else "all in time", sums.get("overdue"), late=bool(late)
    )
    capped = {each for actor in answer["per_actor"] for each in actor["cap_days"]}
    who = sum(bool(actor["cap_days"]) for actor in answer["per_actor"])
    yield _figure(
        len(capped),
        "day at a cap" if len(capped) == 1 else "days at a cap",
        f"for {plural(who, 'sender')}" if who else "no mail waits for a cap",
        None,
        late=bool(capped),
    )


def _figure(
    value: float, title: str, more: Content, found: Mapping[str, float] | None, *, late: bool = False
) -> Element:
    spread = None
    if found:
        apart = f"{number(found['low'])} to {number(found['high'])} in nine of ten runs"
        spread = element("span", f"{number(round(found['mean'], 1))} in the mean, {apart}", class_="runs")
    return element(
        "li",
        element("strong", data(value), class_="late" if late else None),
        element("span", title, class_="what"),
        element("span", more, class_="quiet"),
        spread,
    )


def _most_mails(answer: Mapping[str, Any]) -> Content:
    actors = answer["per_actor"]
    if not actors:
        return "nobody sends any"
    most = max(actors, key=lambda each: each["most_emails"])
    return [f"at most {number(most['most_emails'])} a day, by sender ", called(most)]


def _most_overdue(answer: Mapping[str, Any]) -> Content:
    steps = [(each, step) for each in answer["per_sequence"] for step in each["steps"]]
    if not steps:
        return None
    _, step = max(steps, key=lambda pair: pair[1]["overdue"])
    return [f"{number(step['overdue'])} at step {step['position']}, ", name(step["what"])]


def assumed(ids: Ids, answer: Mapping[str, Any]) -> list[Element]:
    """What was taken for granted; what the scenario says itself stands before the defaults."""
    found = answer.get("assumptions") or []
    if not found:
        return [element("p", "Nothing is said about it.", class_="nothing")]
    rows: list[list[Content]] = [
        [
            element("strong", words(each["name"])) if not each["default"] else words(each["name"]),
            name(each["says"]),
            "default" if each["default"] else element("strong", "given"),
        ]
        for each in sorted(found, key=lambda each: bool(each["default"]))
    ]
    given = sum(not each["default"] for each in found)
    says = f"{given} of {len(found)} were given, the others are defaults."
    return [
        element("p", says, class_="reading"),
        table(ids, "What was assumed", ["What", "It is taken for granted that", "From where"], rows, texts=3),
    ]


def repeated(answer: Mapping[str, Any]) -> Element:
    """How to get the same again."""
    return element(
        "p",
        "The same sequences and scenario with seed ",
        element("strong", str(answer["seed"])),
        " and ",
        element("strong", plural(answer["runs"], "run")),
        " give the same numbers again, on any machine. Another seed gives another luck.",
    )
