"""The documentation is true: its Python blocks run, its commands are typed as shown, and its links lead somewhere.

Each file is a story of its own: its ```python and ```console blocks run one after the other in one folder, in which the
bundled examples lie, and the Python in one namespace. A page that names DATABASE_URL has an empty PostgreSQL database
behind it. A console block shows commands after `$ `; each `sequencer` command is run, must end with 0, and every line
shown below it must come out, in that order (`...` stands for any lines, and within a line for any text). A command that
is to end otherwise is followed by `# exit 1` or `# exit 2`.

A ```text block that follows a ```python block with nothing between them is what that block prints, all of it (`...` as
above).

A block of any language that is preceded by `<!-- file: NAME -->` is a file: it is put into the folder where the story
comes to it. So `pytest` can be typed, too, which is run as `sequencer` is.

A block that cannot run here is preceded by `<!-- not run: REASON -->`.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from markdown_it import MarkdownIt

import sequencer
from tests import postgres
from tests.typed import Typist

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(next(iter(sequencer.__path__)))
EXAMPLES = PACKAGE / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

NOT_RUN = re.compile(r"<!--\s*not run:(.*?)-->\s*", re.DOTALL)
FILE = re.compile(r"<!--\s*file:\s*([\w./-]+)\s*-->\s*")
TYPED = {"sequencer", "pytest"}
RUN = {"python", "console"}
# Blocks that only show something. Anything else is a misspelling of a language that should have run.
SHOWN = {"", "css", "csv", "html", "http", "ini", "json", "mermaid", "sh", "sql", "text", "toml", "xml", "yaml"}


@attrs.frozen
class Block:
    """A fenced block: its language and text, the line where the text begins, why it is not run, what it prints.

    One that is a file has its name.
    """

    language: str
    text: str
    line: int
    not_run: str | None
    prints: str | None = None
    file: str | None = None


def blocks(markdown: str) -> Iterator[Block]:
    """The fenced blocks of a page, also those in lists and quotes."""
    before = None
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "fence":
            excuse, file = NOT_RUN.fullmatch(before or ""), FILE.fullmatch(before or "")
            start = token.map[0] + 2 if token.map else 0
            printed = after is not None and after.type == "fence" and after.info.strip() == "text"
            yield Block(
                token.info.strip(),
                token.content,
                start,
                excuse[1].strip() if excuse else None,
                after.content if printed and after is not None else None,
                file[1] if file else None,
            )
        before = token.content if token.type == "html_block" else None


def of(page: Path, language: str | None = None) -> Iterator[Block]:
    """The blocks of a page that are to be run, one after the other, or those of one language.

    What is a file is written on the way.
    """
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.file is not None:
            Path(block.file).write_text(block.text, encoding="utf-8")
        elif block.language in ({language} if language else RUN) and block.not_run is None:
            yield block


@attrs.frozen
class Command:
    """A command as it was shown: what is typed, how it is to end, and what comes out."""

    typed: str
    status: int
    output: list[str]
    line: int


def commands(block: Block) -> Iterator[Command]:
    """The commands of a console block; a line that ends in a backslash goes on in the next."""
    typed, output, line = "", list[str](), 0
    lines = iter(enumerate(block.text.splitlines(), start=block.line))
    for number, text in lines:
        if not text.startswith("$ "):
            output.append(text)
            continue
        if typed:
            yield _command(typed, output, line)
        typed, output, line = text.removeprefix("$ "), [], number
        while typed.endswith("\\"):
            typed = typed[:-1] + next(lines)[1].removeprefix("> ").lstrip()
    if typed:
        yield _command(typed, output, line)


def _command(typed: str, output: list[str], line: int) -> Command:
    command, _, status = typed.partition("  # exit ")
    return Command(command.strip(), int(status or 0), output, line)


def missing(shown: list[str], came: list[str]) -> str | None:
    """The first line that was shown and did not come out where it should have; None when all did."""
    rest = iter(came)
    anywhere = True
    for line in (each.rstrip() for each in shown):
        if line.strip() == "...":
            anywhere = True
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        for candidate in rest:
            if pattern.fullmatch(candidate.rstrip()):
                break
            if not anywhere:
                return line
        else:
            return line
        anywhere = False
    return None


@pytest.fixture
def folder(request, tmp_path, monkeypatch):
    """An empty folder with the bundled examples in it, to run a page in, and an empty database, if it asks for one."""
    if EXAMPLES.is_dir():
        shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    if "DATABASE_URL" not in request.getfixturevalue("page").read_text(encoding="utf-8"):
        yield tmp_path
        return
    with postgres.new_database() as dsn:
        monkeypatch.setenv("DATABASE_URL", postgres.as_url(dsn))
        yield tmp_path


@pytest.fixture(scope="module")
def typist():
    """Who types the commands of the pages."""
    typist = Typist()
    yield typist
    typist.close()


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(autouse=True)
def logs_as_before():
    """What a page lets be logged is for the page: what runs after it in the same process sees nothing of that."""
    loggers = [logging.getLogger(), logging.getLogger("sequencer")]
    before = [(each, each.level, list(each.handlers)) for each in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = [each for each in logger.handlers if each in handlers]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_blocks(page, folder, typist, capsys):
    """The Python blocks and the commands of a page run one after the other, in one folder, and answer as it shows."""
    namespace = {"__name__": "__main__"}
    for block in of(page):
        if block.language == "python":
            run_python(block, page, namespace, capsys)
        else:
            for command in commands(block):
                run_command(command, page, typist)


def run_python(block: Block, page: Path, namespace: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    """A block of Python, as a reader would run it after those before it."""
    # Line breaks first, so that a traceback names the line of the page.
    code = compile("\n" * (block.line - 1) + block.text, str(page), "exec", dont_inherit=True)
    exec(code, namespace)
    came = capsys.readouterr().out.splitlines()
    if block.prints is not None:
        shown = block.prints.splitlines()
        absent = missing(shown, came)
        place = f"{_name(page)}, the block at line {block.line}"
        assert absent is None, f"{place}: did not come out: {absent!r}\n" + "\n".join(came)
        assert len(shown) == len(came) or "..." in shown, f"{place}: printed more:\n" + "\n".join(came)


def run_command(command: Command, page: Path, typist: Typist) -> None:
    """A command, as it is typed."""
    place = f"{_name(page)}, line {command.line}: {command.typed}"
    words = [os.path.expandvars(word) for word in shlex.split(command.typed, comments=True)]
    assert words[0] in TYPED, f"{place}: only {' and '.join(TYPED)} are run here; say why this is not"
    done = typist.run(words)
    assert done.status == command.status, f"{place}\n{done.came}"
    absent = missing(command.output, done.came.splitlines())
    assert absent is None, f"{place}: did not come out: {absent!r}\n{done.came}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_no_block_is_left_out_silently(page):
    """Every block that could run does, or says why not; and no language is misspelled into not running."""
    for block in blocks(page.read_text(encoding="utf-8")):
        assert block.language in RUN | SHOWN, f"line {block.line}: what is {block.language!r}?"
        assert block.not_run != "", f"line {block.line}: not run for what reason?"
        if block.language == "console" and block.not_run is None:
            assert list(commands(block)), f"line {block.line}: a console block shows its commands after '$ '"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    """Every relative link of a page names a file that exists."""
    for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            target = str(child.attrGet("href") or child.attrGet("src") or "").partition("#")[0]
            if target and not re.match(r"[a-z]+:", target):
                path = (page.parent / target).resolve()
                # The package may be installed elsewhere.
                inside = path.is_relative_to(ROOT / "sequencer")
                assert (PACKAGE / path.relative_to(ROOT / "sequencer") if inside else path).exists(), target


def test_the_commands_that_are_promised():
    """README shows one command that runs the tests and one that runs the demo, marked for the build to find."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    for name in ("test", "demo"):
        (command,) = re.findall(rf"^<!-- ci: {name} -->\n```sh\n([^`]+)\n```$", readme, re.MULTILINE)
        # What the demo and the documentation suggest to type next has to be found.
        assert ". .venv/bin/activate && " in command, name


PAGE = """
```python
one = 1
```

<!-- not run: it needs a server -->
```python
connect()
```

<!-- file: conftest.py -->
```python
two = 2
```

- in a list
  ```console
  $ sequencer plan \\
  >   a.yaml
  first
  ...
  last ... words
  $ sequencer check b.yaml  # exit 1
  ```
"""


def test_reading_a_page():
    """Blocks are found wherever they stand, with their line, their language and their excuse."""
    first, second, third, fourth = blocks(PAGE)

    assert first == Block("python", "one = 1\n", 3, None)
    assert second.not_run == "it needs a server"
    assert (third.file, third.text) == ("conftest.py", "two = 2\n")
    assert list(commands(fourth)) == [
        Command("sequencer plan a.yaml", 0, ["first", "...", "last ... words"], 18),
        Command("sequencer check b.yaml", 1, [], 23),
    ]


@pytest.mark.parametrize(
    ("shown", "came", "first_missing"),
    [
        ([], ["anything"], None),
        (["a"], ["title", "a"], None),
        (["a", "b"], ["a", "b", "c"], None),
        (["a", "b"], ["a", "c", "b"], "b"),
        (["a", "...", "b"], ["a", "c", "b"], None),
        (["id ... done"], ["id 7f3 done"], None),
        (["a.c"], ["abc"], "a.c"),
        (["b", "a"], ["a", "b"], "a"),
    ],
)
def test_comparing_output(shown, came, first_missing):
    """What is shown must come out line after line, except where the page says that something is left out."""
    assert missing(shown, came) == first_missing
