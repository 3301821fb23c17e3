"""`python -m benchmarks [QUESTION ...] [--all] [--json]`: exit 1 when a bar is missed."""

from __future__ import annotations

import argparse
import json
import platform
import sys

from benchmarks import (
    comparing,
    deciding,
    designing,
    enrolling,
    importing,
    planning,
    serving,
    simulating,
    storing,
    storing_postgres,
    vectors,
)
from benchmarks.measuring import Question

QUESTIONS: dict[str, Question] = {
    question.name: question
    for module in (
        planning,
        vectors,
        deciding,
        storing,
        storing_postgres,
        enrolling,
        serving,
        simulating,
        designing,
        importing,
        comparing,
    )
    for question in module.QUESTIONS
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("question", nargs="*", help=f"which: {', '.join(QUESTIONS)}")
    parser.add_argument("--all", action="store_true", help="also what takes longer than a minute")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    given = parser.parse_args()
    unknown = [name for name in given.question if name not in QUESTIONS]
    if unknown:
        parser.error(f"no question {', '.join(unknown)}; there are {', '.join(QUESTIONS)}")
    chosen = [QUESTIONS[name] for name in given.question] or [
        question for question in QUESTIONS.values() if given.all or not question.slow
    ]
    answers = []
    if not given.json:
        print(f"Python {platform.python_version()} on {platform.machine()}")
        print(f"{'question':<20} {'figure':>10} {'bar':>12}  holds")
    for question in chosen:
        answer = question.answer()
        answers.append(answer)
        if not given.json:
            bar = f"{'>=' if question.at_least else '<='} {question.bar:g}"
            print(f"{question.name:<20} {answer['figure']:>10.3f} {bar:>12}  {'yes' if answer['holds'] else 'NO'}")
            print(f"    {question.asks}; {json.dumps(answer['detail'])}", flush=True)
    if given.json:
        print(json.dumps(answers, indent=2))
    return 0 if all(answer["holds"] for answer in answers) else 1


if __name__ == "__main__":
    sys.exit(main())
