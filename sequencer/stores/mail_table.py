"""The mails in actors' names, in the memory store.

Each method is the counterpart of the SQL statement of the same name; see `sqlite.sql` for what it means.
"""

# ruff: noqa: D102 - what the methods mean is written once, beside the statements

from __future__ import annotations

from typing import Any

from sequencer.stores.codec import Row
from sequencer.stores.journal import MISSING, Journal

__all__ = ["MailTable"]

_EXPECTED = ("planned", "waiting")
_LEFT = ("again", "sent")

# The places of the columns in a row.
ACCOUNT, ACTOR, AT, STANDING, FOLLOW_UP = range(5)


class MailTable(Journal):
    """Mails, by enrollment and step, and by actor and standing."""

    def __init__(self) -> None:
        super().__init__()
        self._mails: dict[Any, Row] = {}
        self._steps_of: dict[Any, tuple[int, ...]] = {}
        self._mails_of: dict[Any, dict[Any, Row]] = {}

    def _put_mail(self, id: int, step: int, row: Any) -> int:
        at, before = (id, step), self._mails.get((id, step))
        if before is not None:
            self._put(self._mails_of[before[ACCOUNT], before[ACTOR], before[STANDING]], at, MISSING)
        if row is not MISSING:
            self._put(self._mails_of.setdefault((row[ACCOUNT], row[ACTOR], row[STANDING]), {}), at, row)
        if before is None or row is MISSING:
            others = tuple(each for each in self._steps_of.get(id, ()) if each != step)
            self._put(self._steps_of, id, (others if row is MISSING else (*others, step)) or MISSING)
        self._put(self._mails, at, row)
        return 1

    def mail_renumbered(self, id: int, step: int, actor: str, renewed: int) -> int:
        before = self._mails.get((id, step))
        if before is None or before[STANDING] not in _LEFT or (before[ACTOR] == actor and not renewed):
            return 0
        self._put_mail(id, step, MISSING)
        below = min((0, *self._steps_of.get(id, ()))) - 1
        return self._put_mail(id, below, (*before[:STANDING], "sent", before[FOLLOW_UP]))

    def mail_out(self, id: int, step: int, account: str, actor: str, at: int) -> int:
        before = self._mails.get((id, step))
        again = before is not None and before[STANDING] in _LEFT
        at, standing = (before[AT], "again") if before is not None and again else (at, "out")
        return self._put_mail(id, step, (account, actor, at, standing, 0))

    def mail_sent(self, id: int, step: int, account: str, actor: str, at: int) -> int:
        before = self._mails.get((id, step))
        if before is not None and before[STANDING] not in _EXPECTED:
            actor = before[ACTOR]
            at = max(before[AT], at) if before[STANDING] in _LEFT else at
        return self._put_mail(id, step, (account, actor, at, "sent", 0))

    def mail_back(self, id: int, step: int, standing: str) -> int:
        before = self._mails.get((id, step))
        if before is None or before[STANDING] not in ("out", standing):
            return 0
        return self._put_mail(id, step, MISSING)

    def mail_kept(self, id: int, step: int) -> int:
        before = self._mails.get((id, step))
        if before is None or before[STANDING] != "again":
            return 0
        return self._put_mail(id, step, (*before[:STANDING], "sent", before[FOLLOW_UP]))

    def expect_mail(self, id: int, step: int, *row: Any) -> int:
        before = self._mails.get((id, step))
        if before is not None and before[STANDING] not in _EXPECTED:
            return 0
        return self._put_mail(id, step, row)

    def drop_expected(self, id: int) -> int:
        found = [step for step in self._steps_of.get(id, ()) if self._mails[id, step][STANDING] in _EXPECTED]
        return sum(self._put_mail(id, step, MISSING) for step in found)

    def _standing(self, account: str, actor: str, *standings: str) -> list[tuple[tuple[int, int], Row]]:
        found = (self._mails_of.get((account, actor, standing), {}) for standing in standings)
        return [each for mails in found for each in mails.items()]

    def count_mails(self, account: str, actor: str, since: int, expected_since: int) -> list[Row]:
        left, expected = self.mails_left(account, actor, since), self.mails_expected(account, actor, expected_since)
        last = [
            max((row[AT] for _, row in self._standing(account, actor, standing)), default=None)
            for standing in ("sent", "again")
        ]
        return [(len(left) + len(expected), *last)]

    def mails_left(self, account: str, actor: str, since: int) -> list[Row]:
        return [
            (*at, row[AT], row[STANDING])
            for at, row in self._standing(account, actor, "again", "out", "sent")
            if row[STANDING] != "sent" or row[AT] > since
        ]

    def mails_expected(self, account: str, actor: str, since: int) -> list[Row]:
        found = self._standing(account, actor, *_EXPECTED)
        return [(*at, *row[AT:]) for at, row in found if row[AT] >= since]

    def mails_ahead(self, account: str, actor: str, now: int, ahead: int) -> int:
        found = [(at, row) for at, row in self._standing(account, actor, *_LEFT) if row[AT] > ahead]
        return sum(self._put_mail(*at, (account, actor, now, *row[STANDING:])) for at, row in found)

    def forget_mails(self, account: str, actor: str, until: int) -> int:
        found = [at for at, row in self._standing(account, actor, "sent") if row[AT] <= until]
        return sum(self._put_mail(*at, MISSING) for at in found)

    def purge_mails(self, id: int, since: int) -> int:
        found = [(step, self._mails[id, step]) for step in self._steps_of.get(id, ())]
        gone = [step for step, row in found if row[STANDING] in _EXPECTED or row[AT] <= since]
        return sum(self._put_mail(id, step, MISSING) for step in gone)
