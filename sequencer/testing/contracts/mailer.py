"""What every mailer keeps to (laws E1 to E4). A mailer's own test is a subclass that says how it is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
import pytest

from sequencer.core.delays import Hours
from sequencer.core.enrollment import Resource
from sequencer.core.sequence import AutomatedEmail, Sequence, Step, Template
from sequencer.core.signals import EmailSent
from sequencer.engine.engine import Engine
from sequencer.engine.ports import Accepted, Mailer, Pending, Rejected
from sequencer.simulation.clock import ManualClock
from sequencer.stores.memory import MemoryStore
from sequencer.testing.contracts.asking import mail
from sequencer.testing.contracts.threads import call_at_once, comes_back

__all__ = ["HangingMailerContract", "MailerContract", "RefusingMailerContract"]

ADA, BOB = "ada@example.com", "bob@example.com"
REASONS = {"delivery_failed", "quota_reached", "mail_settings", "missing_merge_data"}
TIMEOUT = 10.0
_TWO_MAILS = Sequence(
    "Contract",
    [Step(AutomatedEmail(1)), Step(AutomatedEmail(2, is_reply=True), Hours(12))],
    templates={1: Template("Hello", "One"), 2: Template("Hello again", "Two")},
)
_MONDAY = pendulum.datetime(2026, 3, 2, 9, tz="UTC")


def check_answer(answer: Any) -> None:
    """Raise `AssertionError` unless a mailer may answer this."""
    assert isinstance(answer, (Accepted, Pending, Rejected)), (
        f"a mailer answers Accepted, Pending or Rejected, not {answer!r}"
    )
    if isinstance(answer, Rejected):
        assert isinstance(answer.detail, str), f"the detail of {answer!r} is no text"
        assert isinstance(answer.permanent, bool), f"{answer!r} does not say whether trying again helps"
        assert isinstance(answer.recipient_fault, bool), f"{answer!r} does not say whether the address is at fault"
        assert answer.reason in REASONS, f"the reason of {answer!r} is none of {', '.join(sorted(REASONS))}"
        return
    ids = [answer.provider_id] if isinstance(answer, Pending) else [answer.message_id, answer.provider_id]
    for id in ids:
        # A report names it, and a later mail refers to it in a header.
        assert id is None or (isinstance(id, str) and id == id.strip() != "" and len(id.splitlines()) == 1), (
            f"an id is one line of text, not {id!r}"
        )
    assert not isinstance(answer, Pending) or answer.provider_id, "without an id, no report can bring the answer"


class MailerContract:
    """The contract of mailers, for who writes one: each is asked to send, and what has left is looked at.

    Every test gets a mailer of its own from `make`, before a far side that takes every mail; one whose making needs
    more than a folder overrides the fixture `mailer`. `close` is called at the end, where the mailer has it.
    """

    def make(self, folder: Path) -> Any:
        """A new mailer; `folder` is empty, and this test's own."""
        raise NotImplementedError(f"{type(self).__name__}.make says how a mailer is made")

    def left(self, mailer: Any) -> list[str]:
        """To whom mails have left since the mailer was made: an address for each, a doubled mail twice."""
        raise NotImplementedError(f"{type(self).__name__}.left says which mails have left")

    def reopen(self, mailer: Any, folder: Path) -> Any:
        """The mailer as the next process has it. The very same, where it does not outlive the process."""
        return mailer

    @pytest.fixture
    def mailer(self, tmp_path: Path) -> Iterator[Any]:
        """The mailer of one test."""
        mailer = self.make(tmp_path)
        yield mailer
        if hasattr(mailer, "close"):
            mailer.close()

    def test_it_says_how_it_wants_to_be_called(self, mailer: Any) -> None:
        """A mailer has `send`, and says whether it recognises a key, and else whether a mail may go out twice (E3)."""
        assert isinstance(mailer, Mailer), f"{mailer!r} has not both `send` and `deduplicates`"
        assert isinstance(mailer.deduplicates, bool)
        assert getattr(mailer, "delivery", "at_most_once") in ("at_most_once", "at_least_once")

    def test_a_mail_leaves_once(self, mailer: Any) -> None:
        """One call is one mail, to the address that was asked for, and the answer says that it was taken."""
        answer = mailer.send(mail(to=ADA), key="k-1", timeout=TIMEOUT)

        check_answer(answer)
        assert not isinstance(answer, Rejected), f"a good mail was refused: {answer}"
        assert self.left(mailer) == [ADA]

    def test_two_keys_are_two_mails(self, mailer: Any) -> None:
        """The same words under two keys leave twice, under two message ids: only the key makes a repeat (E2)."""
        answers = [mailer.send(mail(to=ADA), key=key, timeout=TIMEOUT) for key in ("k-1", "k-2")]

        assert self.left(mailer) == [ADA, ADA]
        ids = [answer.message_id for answer in answers if isinstance(answer, Accepted) and answer.message_id]
        assert len(set(ids)) == len(ids), f"two mails have one message id: {ids}"

    def test_a_repeated_key(self, mailer: Any, tmp_path: Path) -> None:
        """A mailer that recognises keys lets no mail leave twice, whichever process asks, and answers the same (E3)."""
        first = mailer.send(mail(to=ADA), key="k-1", timeout=TIMEOUT)
        again = mailer.send(mail(to=ADA, attempt=2), key="k-1", timeout=TIMEOUT)
        check_answer(again)
        if mailer.deduplicates:
            assert again == first
            other = self.reopen(mailer, tmp_path)
            assert other.send(mail(to=ADA, attempt=3), key="k-1", timeout=TIMEOUT) == first
            assert self.left(mailer) == [ADA], "the repeat of a key left as another mail"
        else:
            assert self.left(mailer) == [ADA, ADA], "each call of a mailer that does not recognise keys is a mail"

    def test_a_repeated_key_at_the_same_time(self, mailer: Any) -> None:
        """Two workers that ask with one key at once, as after a lease that ran out, make one mail where keys count."""
        calls = [lambda: mailer.send(mail(to=ADA), key="k-1", timeout=TIMEOUT)] * 4
        answers = call_at_once(calls)

        for answer in answers:
            check_answer(answer)
        if mailer.deduplicates:
            assert answers == answers[:1] * 4
        assert self.left(mailer) == [ADA] * (1 if mailer.deduplicates else 4)

    def test_any_thread_may_call(self, mailer: Any) -> None:
        """Threads that send at the same time lose and double nothing: the engine calls ports on threads of its own."""
        people = [f"person-{n}@example.com" for n in range(6)]
        answers = call_at_once(
            [lambda to=to: mailer.send(mail(to=to), key=f"k-{to}", timeout=TIMEOUT) for to in people]  # type: ignore[misc]
        )

        for answer in answers:
            check_answer(answer)
        assert Counter(self.left(mailer)) == Counter(people)

    @pytest.mark.parametrize(
        "what",
        [
            {"subject": None, "body": None},
            {"subject": "Zażółć gęślą jaźń", "body": "Grüße\n.\nFrom here on\n日本\n"},
            {"thread": ("<1@example.com>", "<2@example.com>"), "is_reply": True},
            {"unsubscribe": True, "unsubscribe_url": "https://example.com/out?k=1"},
            {"subject": "x" * 998, "body": "word " * 10_000},
            {"actor_id": None, "account": "acme", "template_id": "welcome", "metadata": {"kind": ["first", None]}},
        ],
        ids=["without text", "other scripts", "in a thread", "with a way out", "long", "of an account"],
    )
    def test_whatever_a_mail_is_there_is_an_answer(self, mailer: Any, what: dict[str, Any]) -> None:
        """A mail that the engine can ask for is taken, or refused for good where it cannot be; nothing is raised."""
        answer = mailer.send(mail(to=ADA, **what), key="k-1", timeout=TIMEOUT)

        check_answer(answer)
        if isinstance(answer, Rejected):
            assert answer.permanent, f"trying again would not mend it: {answer}"
        assert self.left(mailer) == ([] if isinstance(answer, Rejected) else [ADA])

    def test_an_engine_has_each_mail_sent_once(self, mailer: Any) -> None:
        """Two people and two mails to each, driven by an engine: each mail leaves once, and the engine says so."""
        engine = Engine(MemoryStore(), mailer=mailer, clock=ManualClock(_MONDAY))
        people = [Resource("lead", number, email=to) for number, to in enumerate([ADA, BOB])]
        ids = [engine.enroll(_TWO_MAILS, person).id for person in people]

        for days in (1, 2, 3):
            engine.run_until(_MONDAY + timedelta(days=days))
            for id in ids:
                # What a mailer cannot tell at once, a report brings.
                for step in engine.get(id).steps:
                    if step.awaits_report:
                        engine.handle(EmailSent(key=f"late-{id}-{step.position}", provider_id=step.provider_id))

        assert Counter(self.left(mailer)) == Counter({ADA: 2, BOB: 2})
        for id in ids:
            assert [step.status for step in engine.get(id).steps] == ["completed"] * 2, engine.explain(id)


class RefusingMailerContract(MailerContract):
    """What mailers keep to whose far side can refuse a mail (E4); for a test that can make it do so."""

    def refuse(self, mailer: Any, *, permanent: bool) -> None:
        """Let the far side refuse the next mail, for good or for now; after that, it takes them again."""
        raise NotImplementedError(f"{type(self).__name__}.refuse says how a mail comes to be refused")

    def test_a_refusal_for_now(self, mailer: Any) -> None:
        """It is told as one that will pass; nothing has left; and the retry, under the same key, leaves once."""
        self.refuse(mailer, permanent=False)
        refused = mailer.send(mail(to=ADA), key="k-1", timeout=TIMEOUT)
        check_answer(refused)
        assert isinstance(refused, Rejected), f"the mail was refused, and the mailer says {refused!r}"
        assert not refused.permanent, f"it would pass, and the engine would give up: {refused}"
        assert self.left(mailer) == []

        answer = mailer.send(mail(to=ADA, attempt=2), key="k-1", timeout=TIMEOUT)

        assert not isinstance(answer, Rejected), f"the retry was refused: {answer}"
        assert self.left(mailer) == [ADA], "a key that was refused is no key that was used"

    def test_a_refusal_for_good(self, mailer: Any) -> None:
        """It is told as one that will not pass; nothing has left; and what a person retries, under a new key, does."""
        self.refuse(mailer, permanent=True)
        refused = mailer.send(mail(to=ADA), key="k-1-0", timeout=TIMEOUT)
        check_answer(refused)
        assert isinstance(refused, Rejected), f"the mail was refused, and the mailer says {refused!r}"
        assert refused.permanent, f"it will not pass, and the engine would try again: {refused}"
        assert self.left(mailer) == []

        answer = mailer.send(mail(to=ADA), key="k-1-1", timeout=TIMEOUT)

        assert not isinstance(answer, Rejected), f"the retry was refused: {answer}"
        assert self.left(mailer) == [ADA]


class HangingMailerContract(MailerContract):
    """What mailers keep to whose far side can stay silent (E4); for a test that can make it do so."""

    SLACK = 5.0
    """How many seconds a call may take longer than it was given, for a busy machine."""

    def hang(self, mailer: Any) -> None:
        """Let the far side say nothing any more to the next mail."""
        raise NotImplementedError(f"{type(self).__name__}.hang says how the far side comes to hang")

    def test_a_call_ends_in_time(self, mailer: Any) -> None:
        """A call comes back within its `timeout`, with an answer or an error, also where the far side is silent."""
        self.hang(mailer)

        assert comes_back(lambda: mailer.send(mail(to=ADA), key="k-1", timeout=0.3), 0.3 + self.SLACK), (
            "a call with a timeout of 0.3 seconds has not come back"
        )
