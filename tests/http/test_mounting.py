"""The page about mounting is true of Django: a real project, its sessions and permissions, and the API beside it."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.hosts.test_django_page import PAGE, SETTINGS
from tests.test_docs import PACKAGE, ROOT, blocks

# What is slow on purpose is not what is tried here.
MORE = """
ALLOWED_HOSTS = ["crm.example"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
MOUNTING = ROOT / "docs" / "mounting.md"

# What the page says of it, tried on the project's ASGI application.
STORY = """
import asyncio, os

os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
from project.asgi import application

import httpx
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client

from crm.sequences import engine

SEQUENCE = {"data": {"format": 1, "name": "Hello", "steps": [
    {"action_type": "task", "delay_from_previous_step": 0, "delay_from_previous_step_unit": "hours",
     "action_properties": {"task_content": "Call"}}]}}

for command in (["makemigrations", "crm"], ["migrate"]):
    call_command(*command, verbosity=0)


def session(name, *permissions):
    user = User.objects.create_user(name, password=f"{name}'s password")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    assert browser.login(username=name, password=f"{name}'s password")
    return user, browser, {"sessionid": browser.cookies["sessionid"].value}


async def asked(cookies, method="GET", path="/crm/v2/sequences", **given):
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(application), base_url="http://crm.example", cookies=cookies
    ) as client:
        return await client.request(method, path, **given)


def ask(cookies, *what, **given):
    return asyncio.run(asked(cookies, *what, **given))


grace, _, graces = session("grace", "view_lead", "change_lead")
hank, browser, hanks = session("hank", "view_lead")
_, _, jacks = session("jack")

made = ask(graces, "POST", json=SEQUENCE)
assert (made.status_code, made.json()["data"]["creator_id"]) == (201, grace.pk), made.text
assert made.headers["location"] == f"/crm/v2/sequences/{made.json()['data']['id']}"
assert [each.version.sequence.name for each in engine.stored_sequences()] == ["Hello"]
assert ask(hanks).json()["items"][0]["data"]["name"] == "Hello"
assert ask(hanks, "POST", json=SEQUENCE).status_code == 403
for nobody in (jacks, {}, {"sessionid": "made-up"}, {"sequencer_session": hanks["sessionid"]}):
    assert ask(nobody).status_code == 401

# A form of another site cannot say that it is JSON.
assert ask(graces, "POST", content="a=b", headers={"Content-Type": "text/plain"}).status_code == 400

# Django answers beside it, with the same session.
assert ask({}, "GET", "/leads/1/timeline/").status_code == 302
assert ask(hanks, "GET", "/leads/1/timeline/").json() == {"timeline": []}

# Permissions, passwords and sessions count at once.
hank.user_permissions.clear()
assert ask(hanks).status_code == 401
hank.user_permissions.set(Permission.objects.filter(codename="view_lead"))
assert ask(hanks).status_code == 200
hank.set_password("another")
hank.save()
assert ask(hanks).status_code == 401
grace.is_active = False
grace.save()
assert ask(graces).status_code == 401
print("told")
"""


def test_django(tmp_path):
    """In the project of the page a session's user reads and writes as permissions say, and as nobody without them."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "crm.db")}
    files = {"story.py": STORY, "project/settings.py": SETTINGS % database}
    for page in (PAGE, MOUNTING):
        for block in blocks(page.read_text(encoding="utf-8")):
            named = re.match(r"# (\S+\.py)\n", block.text) if block.language == "python" else None
            if named:
                files[named[1]] = files.get(named[1], "") + block.text
    files["project/settings.py"] += MORE
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for package in ("crm", "project"):
        (tmp_path / package / "__init__.py").touch()

    done = subprocess.run(
        [sys.executable, "-W", "error", "story.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stdout
