"""`simulate`: what will become of people in sequences, before anybody is mailed."""

from __future__ import annotations

import argparse
import os
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from sequencer.cli.files import read_definition, read_either, read_scenario
from sequencer.cli.moments import to_moment
from sequencer.cli.options import Commands, Refusal, add_command, db_options, identifier, lead_option, positive
from sequencer.cli.output import Output
from sequencer.core.errors import InvalidInput
from sequencer.core.sequence import Sequence
from sequencer.engine.clock import SystemClock

if TYPE_CHECKING:
    from sequencer.simulation.scenario import Scenario
    from sequencer.simulation.study import Study, StudyResult

__all__ = ["register"]

_MANY = 2000
"""From so many enrollments on, other processes are worth their start."""
_USUAL_NUMBER = 1000


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    parser = add_command(
        commands,
        "simulate",
        _simulate,
        "what will happen, to whom and when, before anybody is mailed",
        example=(
            "sequencer simulate inbound-follow-up.yaml --leads leads.csv --html report.html\n"
            "sequencer simulate cold-outbound.yaml --enrollments 1000 --runs 20\n"
            "sequencer simulate cold-outbound.yaml --enrollments 1000 --compare shorter.yaml\n"
            "sequencer simulate --db crm.db --scenario slow-summer.yaml"
        ),
        more=(
            "The real engine runs on a clock of its own, with people, desks and mailers as the scenario says; what is\n"
            "taken for granted is listed with the answer. The same call, from the same start, gives the same bytes.\n"
            "\n"
            "Leads of a CSV are enrolled at their enrolled_at, or else at --start; made-up ones (--enrollments) over\n"
            "the days from --start. With several files people are dealt out in turn. With --db it is a forecast for\n"
            "those who are enrolled there now; nothing is written."
        ),
        db=False,
    )
    parser.add_argument("files", metavar="FILE", nargs="*", help="a definition, YAML or JSON")
    who = parser.add_argument_group("who")
    who.add_argument("--leads", metavar="CSV", help="the leads of a file")
    who.add_argument(
        "--enrollments", metavar="N", type=positive(10_000_000), help=f"so many made-up leads ({_USUAL_NUMBER})"
    )
    who.add_argument("--every", action="store_true", help="enroll each in every FILE, instead of dealing them out")
    db_options(who, required=False)
    who.add_argument("--account", metavar="A", help="with --db: those of this account")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--start", metavar="WHEN", help="when it begins (the coming Monday, on the clock of the first FILE's zone)"
    )
    how.add_argument("--until", metavar="WHEN", help="when it ends (when nothing will happen any more)")
    how.add_argument("--scenario", metavar="FILE", help="how people, desks and mailers behave (as usual)")
    how.add_argument("--seed", metavar="N", type=_seed, default=0, help="whose luck (0)")
    how.add_argument(
        "--runs",
        metavar="N",
        type=positive(10_000),
        help="so many times, each with other luck: intervals (1; 10 to compare)",
    )
    how.add_argument(
        "--compare", metavar="FILE", help="another definition instead of the FILE, or another scenario: what differs"
    )
    how.add_argument("--workers", metavar="N", type=positive(1024), help="on so many processes (all cores)")
    how.add_argument("--dask", metavar="ADDRESS", help="on the Dask cluster there, like tcp://127.0.0.1:8786")
    left = parser.add_argument_group("what is left behind")
    left.add_argument("--html", metavar="FILE", help="a report to look at, in one file")
    left.add_argument("--csv", metavar="DIR", help="the tables, as files of comma-separated values")
    left.add_argument("--trace", metavar="FILE", help="everything that happens in the first run, as lines of JSON")
    left.add_argument("--ics", metavar="FILE", help="with --lead: what happens to them in the first run, as iCalendar")
    lead_option(left, "--lead", "with --ics: whose calendar, like lead/42")


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a whole number, got {text!r}") from None
    if not -(2**63) <= seed < 2**63:
        raise argparse.ArgumentTypeError("needs a number of at most 64 bits")
    return seed


def _simulate(arguments: argparse.Namespace, out: Output) -> int:
    # Imported here: no other command needs them.
    from sequencer.cli.leaving import leave, refuse_unwritable, say_where
    from sequencer.cli.simulated import show
    from sequencer.simulation.study import compare

    _refuse_odd(arguments)
    refuse_unwritable(arguments)
    study, compared = _study(arguments, out)
    if arguments.ics is not None:
        _prepare_calendar(arguments, study)
    other = None if compared is None else _other(compared, study)
    runs = arguments.runs or (1 if other is None else 10)
    result = _run(arguments, out, study, runs)
    if other is None:
        document = result.to_dict()
    else:
        document = compare(result, _run(arguments, out, other, runs), Path(arguments.compare).name)
    leave(arguments, result, document)
    out.document(document)
    show(out, document)
    say_where(arguments, out)
    return 0


def _prepare_calendar(arguments: argparse.Namespace, study: Study) -> None:
    """Before anybody has waited: the extra is there, and so is the lead."""
    from sequencer.cli.appointments import refuse_stranger, refuse_without_extra, to_resource

    refuse_without_extra()
    arguments.lead = to_resource(arguments.lead)
    refuse_stranger(study, arguments.lead)


def _refuse_odd(arguments: argparse.Namespace) -> None:
    """What does not go together is said before anything is read."""
    if arguments.db is None and not arguments.files:
        raise Refusal("name a definition to simulate, or with --db a store whose enrollments are to be foretold")
    if arguments.db is None and (arguments.account is not None or arguments.schema is not None):
        raise Refusal("--account and --schema go with --db")
    if arguments.db is not None:
        for given, name in ((arguments.files, "FILE"), (arguments.leads, "--leads"), (arguments.start, "--start"),
                            (arguments.enrollments, "--enrollments"), (arguments.every, "--every")):  # fmt: skip
            if given:
                raise Refusal(f"{name} and --db are two questions: --db foretells those who are enrolled there now")
    if arguments.leads is not None and arguments.enrollments is not None:
        raise Refusal("--leads and --enrollments are two populations; give one of them")
    if arguments.every and len(arguments.files) < 2:
        raise Refusal("--every needs several FILEs")
    if (arguments.ics is None) is not (arguments.lead is None):
        raise Refusal("--ics FILE and --lead TYPE/ID go together: the calendar of one lead")
    if arguments.workers is not None and arguments.dask is not None:
        raise Refusal("--workers are processes here, --dask has its own; give one of them")


def _study(arguments: argparse.Namespace, out: Output) -> tuple[Study, Sequence | Scenario | None]:
    """What is simulated, and what it is to be compared with."""
    from sequencer.definitions import read_leads
    from sequencer.simulation.population import monday_after
    from sequencer.simulation.study import Study

    if arguments.db is not None:
        return _forecast(arguments)
    sequences = [read_definition(each) for each in arguments.files]
    _refuse_same_keys(arguments.files, sequences)
    timezone = sequences[0].calendar.timezone
    compared = None if arguments.compare is None else read_either(arguments.compare, timezone=timezone)
    common: dict[str, Any] = {
        "sequences": sequences,
        "scenario": _scenario(arguments, timezone),
        "seed": arguments.seed,
        "until": None if arguments.until is None else to_moment(arguments.until, timezone, "--until"),
        "trace": arguments.trace is not None or arguments.ics is not None,
        "every": arguments.every,
        # A scenario may speak of a step that only one of two designs has.
        "beside": [compared] if isinstance(compared, Sequence) else [],
    }
    start = None if arguments.start is None else to_moment(arguments.start, timezone, "--start")
    default = monday_after(SystemClock().now(), timezone)
    if arguments.leads is None:
        made_up = arguments.enrollments or _USUAL_NUMBER
        return Study(start=start or default, enrollments=made_up, **common), compared
    leads = read_leads(arguments.leads, timezone=timezone)
    if not leads:
        raise Refusal(f"{arguments.leads}: there are no leads in it")
    known = [each.enrolled_at for each in leads if each.enrolled_at is not None]
    if start is not None and known:
        _say_whom_it_starts(arguments.leads, len(known), len(leads), out)
    # Who says nothing comes with the first who does.
    return Study(start=start or min(known, default=default), leads=tuple(leads), **common), compared


def _refuse_same_keys(files: list[str], sequences: list[Sequence]) -> None:
    """Two files of one key are two versions of one sequence, and people are in one of them."""
    first: dict[str, str] = {}
    for file, sequence in zip(files, sequences, strict=True):
        if sequence.key in first:
            raise Refusal(
                f"{first[sequence.key]} and {file} are the same sequence, with the key {sequence.key!r}: to see two "
                "versions of it side by side, name one of them after --compare; to deal people out to both, give each "
                "a `key:` of its own (without one, the name is the key)"
            )
        first[sequence.key] = file


def _say_whom_it_starts(file: str, dated: int, leads: int, out: Output) -> None:
    """`--start` is for leads who say nothing: not without a word if there are others, and not at all if all do."""
    if dated == leads:
        raise Refusal(
            f"--start is for leads without an enrolled_at, and in {file} every row has one: leave out --start, or "
            "take the column out to have them all enrolled then"
        )
    out.aside(f"--start is for {leads - dated} of {leads} leads; the others are enrolled at their own enrolled_at")


def _forecast(arguments: argparse.Namespace) -> tuple[Study, Sequence | Scenario | None]:
    from sequencer.cli.places import place_of
    from sequencer.simulation.forecast import forecast
    from sequencer.simulation.study import Study

    account = None if arguments.account is None else identifier(arguments.account, "--account")
    place = place_of(arguments)
    with closing(place.store()) as store:
        try:
            standing = forecast(store, SystemClock().now().replace(microsecond=0), accounts=[account])
        except InvalidInput as error:
            raise Refusal(f"{place.shown}: {error.message}", 1) from None
    timezone = standing.sequences[0].calendar.timezone
    study = Study.forecast(
        standing,
        scenario=_scenario(arguments, timezone),
        seed=arguments.seed,
        until=None if arguments.until is None else to_moment(arguments.until, timezone, "--until"),
        trace=arguments.trace is not None or arguments.ics is not None,
    )
    return study, None if arguments.compare is None else read_either(arguments.compare, timezone=timezone)


def _scenario(arguments: argparse.Namespace, timezone: str) -> Scenario:
    from sequencer.simulation.scenario import Scenario

    return Scenario() if arguments.scenario is None else read_scenario(arguments.scenario, timezone=timezone)


def _other(found: Sequence | Scenario, study: Study) -> Study:
    """The same people with the same luck, in another design or in another world."""
    if not isinstance(found, Sequence):
        return attrs.evolve(study, scenario=found, trace=False)
    if study.standing is not None:
        raise Refusal("--compare with --db takes another scenario; who is enrolled there has a sequence already")
    if len(study.sequences) != 1:
        raise Refusal("--compare with another definition needs exactly one FILE")
    return attrs.evolve(study, sequences=(found,), beside=study.sequences, trace=False)


def _run(arguments: argparse.Namespace, out: Output, study: Study, runs: int) -> StudyResult:
    from sequencer.simulation.study import simulate, uncollected

    enrollments = study.population(0).enrollments
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = arguments.workers or (cores if enrollments * runs >= _MANY else 1)
    total = enrollments * runs
    with uncollected() as collect, _cluster(arguments) as client, out.progress("simulating", total) as progress:

        def advance(by: int) -> None:
            progress.advance(by)
            collect()

        return simulate(study, runs=runs, workers=workers, client=client, progress=advance)


def _cluster(arguments: argparse.Namespace) -> Any:
    from sequencer.simulation.cluster import connected_to

    return connected_to(arguments.dask)
