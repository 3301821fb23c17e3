"""Who answers, beside how they end: an answer to the last mail comes after the end, and is an answer all the same.

An enrollment has run to its end once its last step is done, and stays `completed` whatever its person says then. So
those that an answer has ended are fewer than those who answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

__all__ = ["ANSWERS", "PEOPLE", "count_person", "people_counted"]

ANSWERS = ("replied", "meeting_booked", "converted")
"""The reactions that are answers."""
PEOPLE: Mapping[str, str] = {
    "replied": "replied in all",
    "replied_after_end": "replied after the end",
    "meeting_booked": "booked a meeting in all",
    "meeting_booked_after_end": "booked a meeting after the end",
    "converted": "converted in all",
    "converted_after_end": "converted after the end",
    "completed_unanswered": "ran to the end without an answer",
}
"""What enrollments are counted by, each once, and how that is called."""
# These are there also where nobody answers.
_ALWAYS = frozenset({"replied", "replied_after_end", "completed_unanswered"})


def count_person(people: Counter[str], outcome: str, answered: Mapping[str, bool] | None) -> None:
    """Count an enrollment by how it ends, and what was answered: to each kind, whether that was after the end at first.

    What has ended it may have been answered in another enrollment of the same person.
    """
    if not answered and outcome not in ANSWERS:
        people["completed_unanswered"] += outcome == "completed"
        return
    answered = answered or {}
    for kind in ANSWERS:
        if kind in answered or outcome == kind:
            people[kind] += 1
        if answered.get(kind):
            people[f"{kind}_after_end"] += 1


def people_counted(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The counts of all of these, in the order of their names; only what there is, but for replies."""
    total: Counter[str] = Counter()
    for each in several:
        total.update(each)
    return {name: total[name] for name in PEOPLE if total[name] or name in _ALWAYS}
