"""The page about Django is true: its files make a project, whose commands, views and tests run, on both databases."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import psycopg
import pytest
from psycopg import sql

from tests import postgres
from tests.test_docs import PACKAGE, ROOT, blocks, commands, missing

PAGE = ROOT / "docs" / "django.md"

# What `django-admin startproject` makes, as far as it matters here; the page's settings are added to it.
SETTINGS = """
SECRET_KEY = "secret"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "project.urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": %r}
"""
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
execute_from_command_line(sys.argv)
"""
# What the page says of its views, tried in the project's own tests.
VIEWS = """
from django.contrib.auth.models import User
from django.core import mail
from django.test import TestCase

from crm.models import Lead
from crm.sequences import engine


class ViewsTest(TestCase):
    def setUp(self):
        self.client.force_login(User.objects.create(username="grace"))

    def hook(self, **event):
        return self.client.post("/hooks/mail/", event, content_type="application/json").status_code

    def test_from_signing_up_to_a_reply(self):
        signed_up = self.client.post("/leads/", {"name": "Ada", "email": "ada@example.com"})
        self.assertEqual(signed_up.status_code, 201)
        lead = Lead.objects.get(pk=signed_up.json()["lead"])
        (enrollment,) = engine.enrollments()
        self.assertEqual((enrollment.resource.id, enrollment.state), (lead.pk, "active"))

        self.assertEqual(self.hook(type="reply", id="evt-1", **{"from": "Ada@example.com"}), 204)
        self.assertEqual(self.hook(type="reply", id="evt-1", **{"from": "Ada@example.com"}), 204)
        self.assertEqual(self.hook(type="opened", id="evt-2"), 204)
        self.assertEqual(engine.get(enrollment.id).finished_reason, "replied")
        self.assertEqual(engine.history(enrollment.id)[-1].type, "finished")

        lines = self.client.get(f"/leads/{lead.pk}/timeline/").json()["timeline"]
        self.assertIn("because the person replied", lines[0])

    def test_who_is_refused_has_no_lead(self):
        from sequencer import Suppressed

        engine.suppress("ada@example.com")
        with self.assertRaises(Suppressed):
            self.client.post("/leads/", {"name": "Ada", "email": "ada@example.com"})
        self.assertEqual((Lead.objects.count(), engine.enrollments()), (0, ()))

    def test_nothing_is_left_of_the_tests_before(self):
        self.assertEqual((Lead.objects.count(), engine.enrollments(), mail.outbox), (0, (), []))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """What belongs into DATABASES, for a database in which nothing is."""
    if request.param == "sqlite":
        yield {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "crm.db")}
        return
    parts = psycopg.conninfo.conninfo_to_dict(postgres.server())
    name = f"crm_{os.getpid()}_{os.urandom(4).hex()}"
    with postgres.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
    }
    with postgres.connect(autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def test_the_page(database, tmp_path):
    """The files of the page, the commands as it shows them, and its tests beside some of its views."""
    page = [block for block in blocks(PAGE.read_text(encoding="utf-8")) if block.language in ("python", "console")]
    files = {"manage.py": MANAGE, "crm/test_views.py": VIEWS, "project/settings.py": SETTINGS % database}
    for block in page:
        if block.language == "python":
            named = re.match(r"# (\S+\.py)\n", block.text)
            assert named, f"line {block.line}: which file is it?"
            files[named[1]] = files.get(named[1], "") + block.text
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for package in ("crm", "project"):
        (tmp_path / package / "__init__.py").touch()

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}\n{done.stdout}"
        return done.stdout

    for command in (command for block in page if block.language == "console" for command in commands(block)):
        printed = run(*command.typed.split()[1:])
        absent = missing(command.output, printed.splitlines())
        assert absent is None, f"line {command.line}: {command.typed}: did not come out: {absent!r}\n{printed}"
    assert "Ran 4 tests" in run("manage.py", "test")
    assert run("manage.py", "sequencer_migrate") == "The tables are up to date.\n"
