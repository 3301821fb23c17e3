"""What `docs/findings.md` says of each finding, made of the table of codes and of the designs of the tests.

`python -m tests.design.page` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

from sequencer.design.findings.finding import KINDS
from tests.design.designs import DESIGNS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
MARK = "<!-- Made by tests.design.page from the code. Do not edit below: a test compares. -->\n"


def generated() -> str:
    """All that stands below the mark: the table, and a section for each code with an example."""
    rows = "".join(f"| [`{code}`](#{code}) | {kind.severity} | {kind.remedy} |\n" for code, kind in KINDS.items())
    sections = [f"### {code}\n\n{kind.explanation}\n\n```text\n{example(code)}\n```\n" for code, kind in KINDS.items()]
    return f"\n## All of them\n\n| code | severity | remedy |\n|---|---|---|\n{rows}\n" + "\n".join(sections)


def example(code: str) -> str:
    """What is found about the design of the tests."""
    (finding,) = [each for each in DESIGNS[code].findings() if each.code == code]
    return str(finding)


if __name__ == "__main__":
    by_hand, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    PAGE.write_text(by_hand + mark + generated(), encoding="utf-8")
