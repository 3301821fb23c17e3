"""`simulate`: what will become of people in sequences, before anybody is mailed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from sequencer.cli.files import read_definition
from sequencer.cli.moments import clock_time, to_moment
from sequencer.cli.options import Commands, Refusal, add_command, db_options, positive
from sequencer.cli.output import Output, Table, dim, strong, warn

__all__ = ["register"]

_MANY = 4000
"""From so many enrollments on, all cores are worth their start."""


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
            "taken for granted is listed with the answer. The same call gives the same answer, byte for byte.\n"
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
    who.add_argument("--enrollments", metavar="N", type=positive(10_000_000), help="so many made-up leads (1000)")
    who.add_argument("--every", action="store_true", help="enroll each in every FILE, instead of dealing them out")
    db_options(who, required=False)
    who.add_argument("--account", metavar="A", help="with --db: those of this account")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--start", metavar="WHEN", help="when it begins (the coming Monday, on the clock of the first FILE's zone)"
    )
    how.add_argument("--until", metavar="WHEN", help="when it ends (when nothing will happen any more)")
    how.add_argument("--scenario", metavar="FILE", help="how people, desks and mailers behave (the usual)")
    how.add_argument("--seed", metavar="N", type=_seed, default=0, help="whose luck (0)")
    how.add_argument("--runs", metavar="N", type=positive(10_000), help="so many times, with other luck: intervals (1)")
    how.add_argument(
        "--compare", metavar="FILE", help="another definition for the only FILE, or another scenario: what differs"
    )
    how.add_argument("--workers", metavar="N", type=positive(1024), help="on so many processes (all cores)")
    how.add_argument("--dask", metavar="ADDRESS", help="on the Dask cluster there, like tcp://127.0.0.1:8786")
    what = parser.add_argument_group("what is left behind")
    what.add_argument("--html", metavar="FILE", help="a report to look at, in one file")
    what.add_argument("--csv", metavar="DIR", help="the tables, as files of comma-separated values")
    what.add_argument("--trace", metavar="FILE", help="everything that happens, as lines of JSON")


def _seed(text: str) -> int:
    try:
        seed = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a whole number, got {text!r}") from None
    if not -(2**63) <= seed < 2**63:
        raise argparse.ArgumentTypeError("needs a number of at most 64 bits")
    return seed


def _simulate(arguments: argparse.Namespace, out: Output) -> int:
    from sequencer.simulation.scenario import Scenario
    from sequencer.simulation.scenario_document import load_scenario
    from sequencer.simulation.study import compare

    _refuse_odd(arguments)
    study = _study(arguments, out)
    other = None
    if arguments.compare is not None:
        other = _other(arguments, study)
    elif arguments.scenario is None:
        assert isinstance(study.scenario, Scenario), "the usual one"
    runs = arguments.runs or (10 if other is not None else 1)
    result = _run(arguments, out, study, runs)
    if other is None:
        document = result.to_dict()
    else:
        document = compare(result, _run(arguments, out, other, runs), Path(arguments.compare).name)
    out.document(document)
    _show(out, document)
    _leave(arguments, out, result, document)
    assert load_scenario is not None, "imported with the scenario"
    return 0
