"""What comes out: tables and sentences for people, one JSON document for programs, progress for who is waiting.

On a terminal, rich draws the tables when it is installed (the extra `cli`); it knows the width, NO_COLOR and what the
terminal can do. Everywhere else the same tables are plain text, as wide as they need to be, for `grep` and `cut`.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

import attrs

__all__ = ["Output", "Progress", "Styled", "Table", "bad", "clean", "dim", "good", "strong", "warn"]

# A name or a merge field may hold anything; an escape sequence in it must not reach the terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: object) -> str:
    """One line that is safe to print, whatever it was."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text)).replace("\n", " ").replace("\t", " ")


@attrs.frozen
class Styled:
    """A text, and how it looks where there are colours."""

    text: str
    style: str = ""


def good(text: object) -> Styled:
    """As it should be."""
    return Styled(str(text), "green")


def bad(text: object) -> Styled:
    """Somebody has to look at this."""
    return Styled(str(text), "bold red")


def warn(text: object) -> Styled:
    """Worth a look."""
    return Styled(str(text), "yellow")


def dim(text: object) -> Styled:
    """Beside the point."""
    return Styled(str(text), "dim")


def strong(text: object) -> Styled:
    """What the eye should find first."""
    return Styled(str(text), "bold")


_BROKEN = 14
"""How narrow a column may become whose lines may be broken."""

Cell = str | int | float | Styled | None


@attrs.define
class Table:
    """Rows under headers. What a header begins with says what becomes of its column.

    - `>`: aligned to the right, for numbers.
    - `=`: its lines are not broken where the terminal is narrow, unlike those of the other columns.
    - `?`, before either: it is left out where the terminal is too narrow; those on the left go first.
    """

    headers: Sequence[str]
    rows: list[Sequence[Cell]] = attrs.Factory(list)
    title: str | None = None

    def add(self, *cells: Cell) -> None:
        """One more row."""
        self.rows.append(cells)

    def fitting(self, width: int) -> Table:
        """The table without what there is no room for."""
        kept = list(range(len(self.headers)))
        for i, header in enumerate(self.headers):
            if header.startswith("?") and self._needs(kept) > width:
                kept.remove(i)
        return Table([self.headers[i] for i in kept], [[row[i] for i in kept] for row in self.rows], self.title)

    def _needs(self, columns: Sequence[int]) -> int:
        """How wide these columns are when those that may be broken are."""
        total = 2 * (len(columns) - 1)
        for i in columns:
            header = self.headers[i].lstrip("?")
            natural = max(map(_width, [header.lstrip(">="), *(clean(_styled(row[i]).text) for row in self.rows)]))
            total += natural if header[:1] in {">", "="} else min(natural, _BROKEN)
        return total

    def plain(self) -> Iterator[str]:
        """The table as text, in columns."""
        names = [header.lstrip("?>=") for header in self.headers]
        texts = [[clean(_styled(cell).text) for cell in row] for row in self.rows]
        widths = [max(map(_width, column)) for column in zip(names, *texts, strict=True)]
        if self.title:
            yield self.title
        for line in (names, ["-" * width for width in widths], *texts):
            padded = [
                _padded(text, width, right=">" in header[:2])
                for text, width, header in zip(line, widths, self.headers, strict=True)
            ]
            yield "  ".join(padded).rstrip()


def _styled(cell: Cell) -> Styled:
    if isinstance(cell, Styled):
        return cell
    return Styled("" if cell is None else str(cell))


def _width(text: str) -> int:
    """How many columns a text takes: two for the wide letters of East Asia, none for what sits on another letter."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


class Output:
    """Standard output for answers, standard error for what goes beside them.

    With `json`, the one document is all that ever comes to standard output; sentences and tables are left out.
    """

    def __init__(self, *, json: bool = False, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.json = json
        self.stdout = sys.stdout if stdout is None else stdout
        self.stderr = sys.stderr if stderr is None else stderr
        self._console = None if json else _console(self.stdout)

    def document(self, value: Any) -> None:
        """The answer for programs."""
        if self.json:
            # Escaped, so that it is the same bytes whatever the terminal's encoding is.
            self.stdout.write(json.dumps(value, indent=2) + "\n")

    def raw(self, value: bytes) -> None:
        """The answer for programs, in a format that has its own line ends and encoding."""
        buffer = getattr(self.stdout, "buffer", None)
        if buffer is None:
            self.stdout.write(value.decode())
        else:
            self.stdout.flush()
            buffer.write(value)

    def say(self, text: object = "", style: str = "") -> None:
        """A line for people."""
        if self.json:
            return
        if self._console is None:
            self.stdout.write(f"{_printable(_lines(text), self.stdout)}\n")
        else:
            self._console.print(_text(_lines(text), style))

    def line(self, *parts: str | Styled) -> None:
        """A line for people, of parts that look different."""
        if self.json:
            return
        styled = [_styled(part) for part in parts]
        if self._console is None:
            self.say("".join(part.text for part in styled).rstrip())
        else:
            text = _text("", "")
            for part in styled:
                text.append(clean(part.text), style=part.style)
            self._console.print(text)

    def table(self, table: Table, *, empty: str = "Nothing.") -> None:
        """A table for people."""
        if self.json:
            return
        if not table.rows:
            self.say(empty, "dim")
        elif self._console is None:
            for line in table.plain():
                self.stdout.write(f"{_printable(line, self.stdout)}\n")
        else:
            self._console.print(_rich_table(table.fitting(self._console.width)))

    def heading(self, text: str) -> None:
        """The title of what follows."""
        if self.json:
            return
        if self._console is None:
            self.say(f"\n{text}\n{'=' * _width(text)}")
        else:
            from rich.rule import Rule

            self._console.print()
            self._console.print(Rule(_text(text, "bold"), align="left", style="cyan"))

    def aside(self, text: object) -> None:
        """A line on standard error: what is worth knowing, but is not the answer."""
        self.stderr.write(f"{_printable(_lines(text), self.stderr)}\n")
        self.stderr.flush()

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Progress]:
        """A progress bar on standard error: only on a terminal, and only for what takes longer than a second."""
        progress = Progress(what, total, _console(self.stderr))
        try:
            yield progress
        finally:
            progress.close()


class Progress:
    """How far something is. Shown from one second on, if there is a terminal to show it on."""

    def __init__(self, what: str, total: int | None, console: Any) -> None:
        self._bar: Any = None
        self._timer: threading.Timer | None = None
        if console is None:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
        self._bar = Bar(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task = self._bar.add_task(clean(what), total=total)
        self._timer = threading.Timer(1.0, self._bar.start)
        self._timer.daemon = True
        self._timer.start()

    def advance(self, by: int = 1) -> None:
        """So much more is done."""
        if self._bar is not None:
            self._bar.advance(self._task, by)

    def close(self) -> None:
        """It is over; the bar goes away."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
            self._bar.stop()


def _lines(text: object) -> str:
    return "\n".join(map(clean, str(text).split("\n")))


def _printable(text: str, stream: TextIO) -> str:
    """A terminal that cannot show a letter shows its code instead."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _console(stream: TextIO) -> Any:
    """The console of rich for a stream that is a terminal; None where plain text will do."""
    try:
        if not stream.isatty():
            return None
        from rich.console import Console
    except (ImportError, ValueError):  # not installed; closed
        return None
    return Console(file=stream, highlight=False, emoji=False, markup=False)


def _text(text: str, style: str) -> Any:
    from rich.text import Text

    return Text(text, style=style)


def _rich_table(table: Table) -> Any:
    from rich import box
    from rich.table import Table as RichTable

    drawn = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        header_style="bold cyan",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for header in table.headers:
        kind, name = header.lstrip("?")[:1], header.lstrip("?>=")
        justify: Any = "right" if kind == ">" else "left"
        drawn.add_column(name, justify=justify, overflow="fold", no_wrap=kind in {">", "="})
    for row in table.rows:
        drawn.add_row(*(_text(clean(_styled(cell).text), _styled(cell).style) for cell in row))
    return drawn
