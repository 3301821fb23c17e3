"""Sources of template texts: what is there is found and right, what is wrong is named, and no id leads outside."""

from __future__ import annotations

import pytest

from sequencer.adapters.templates import FolderTemplates, MappingTemplates
from sequencer.core.errors import DefinitionError, InvalidInput
from sequencer.core.sequence import Template


def refused(call):
    with pytest.raises(DefinitionError) as caught:
        call()
    return caught.value.problems


def test_folder(tmp_path):
    """A file's first line is the subject, the rest after a blank line the body; ids are numbers or text."""
    (tmp_path / "1.txt").write_text("Subject: Hello {{ first_name }}\n\nNice to\n\nmeet you.\n")
    (tmp_path / "follow up.md").write_bytes("\ufeffsubject:  Zażółć \r\n\r\nBody\r\n".encode())
    templates = FolderTemplates(tmp_path)

    assert templates(1, None) == templates("1", "acme") == Template("Hello {{ first_name }}", "Nice to\n\nmeet you.\n")
    assert templates("follow up", None) == Template("Zażółć", "Body\n")
    assert templates(2, None) is None
    assert repr(templates) == f"FolderTemplates({str(tmp_path)!r})"


def test_folder_is_read_anew(tmp_path):
    """A corrected text is used at once."""
    templates = FolderTemplates(tmp_path)
    for subject in ("One", "Two"):
        (tmp_path / "1.txt").write_text(f"Subject: {subject}\n\n")
        assert templates(1, None) == Template(subject, "")


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "/etc/passwd",
        "..\\secret",
        "a\0b",
        ".hidden",
        "con",
        "NUL.x",
        "a.",
        "a ",
    ],
)
def test_no_id_leads_outside(tmp_path, name):
    """An id that is no plain file name has no template, whatever lies there."""
    (tmp_path / "secret.txt").write_text("Subject: x\n\n")
    (tmp_path / "in").mkdir()

    assert FolderTemplates(tmp_path / "in")(name, None) is None
    assert FolderTemplates(tmp_path / "in", per_account=True)("secret", name) is None


def test_no_link_leads_outside(tmp_path):
    """A link that leads out of the folder is refused."""
    (tmp_path / "secret.txt").write_text("Subject: x\n\n")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.txt").symlink_to(tmp_path / "secret.txt")

    assert [each.code for each in refused(lambda: FolderTemplates(tmp_path / "in")(1, None))] == ["invalid_path"]


def test_accounts(tmp_path):
    """With a folder for each account, one account's templates are not another's."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "1.txt").write_text("Subject: Acme\n\n")
    (tmp_path / "1.txt").write_text("Subject: Default\n\n")
    templates = FolderTemplates(tmp_path, per_account=True)

    assert templates(1, "acme") == Template("Acme", "")
    assert templates(1, None) == Template("Default", "")
    assert templates(1, "other") is None


@pytest.mark.parametrize(
    ("content", "code", "line"),
    [
        (b"", "missing_key", 1),
        (b"Hello\n\nbody", "missing_key", 1),
        (b"Betreff: Hello\n\nbody", "missing_key", 1),
        (b"Subject Hello\n\nbody", "missing_key", 1),
        (b"Subject:\n\nbody", "blank", 1),
        (b"Subject: x\x07y\n\nbody", "invalid_text", 1),
        (b"Subject: x\nFrom: y\n\nbody", "unknown_key", 2),
        (b"Subject: x\nbody", "unknown_key", 2),
        (b"Subject: x\n\nbo\0dy", "invalid_text", 3),
        (b"Subject: x\n\n\xff", "invalid_text", None),
        (b"Subject: {{ first name }}\n\nbody", "invalid_merge_field", 1),
        (b"Subject: x\n\none\ntwo {{ open\n", "invalid_merge_field", 4),
    ],
)
def test_malformed_files(tmp_path, content, code, line):
    """A file that is not as it must be is refused with the file, the line and what is wrong."""
    (tmp_path / "1.txt").write_bytes(content)
    (problem,) = refused(lambda: FolderTemplates(tmp_path)(1, None))

    assert (problem.code, problem.line, problem.file) == (code, line, str(tmp_path / "1.txt"))


def test_two_files_for_one_id(tmp_path):
    """Two files for the same id are refused: nobody could say which is meant."""
    for ending in ("txt", "md"):
        (tmp_path / f"1.{ending}").write_text("Subject: x\n\n")

    assert [each.code for each in refused(lambda: FolderTemplates(tmp_path)(1, None))] == ["duplicate_key"]


def test_folder_must_exist(tmp_path):
    """A folder that is not there is refused at once."""
    with pytest.raises(InvalidInput):
        FolderTemplates(tmp_path / "nowhere")


def test_mapping():
    """A mapping has templates, or pairs of subject and body, under their ids."""
    templates = MappingTemplates({1: ("Hello", "body"), "bye": Template("Bye", "")})

    assert templates(1, None) == templates(1, "acme") == Template("Hello", "body")
    assert templates("bye", None) == Template("Bye", "")
    assert templates("1", None) is None


def test_malformed_mapping():
    """All that is wrong with a mapping is said at once, by path."""
    problems = refused(
        lambda: MappingTemplates({1: ("", "x"), 2: ("a {{ }} b {{ c", "d }}"), "x" * 65: ("s", "b"), 3: ("ok", "ok")})
    )

    assert [(each.code, each.path) for each in problems] == [
        ("blank", "templates.1.subject"),
        ("invalid_merge_field", "templates.2.subject"),
        ("invalid_merge_field", "templates.2.subject"),
        ("invalid_merge_field", "templates.2.body"),
        ("invalid_length", f"templates.{'x' * 65}"),
    ]
