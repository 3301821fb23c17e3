"""What `manage.py` can do with the project's engine: the tables, a pass, and a loop."""

from __future__ import annotations

import io
import os
import signal

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db.models.signals import post_migrate
from django.test import override_settings

from sequencer import Engine, MemoryStore, SystemClock
from sequencer.adapters.django import project_engine
from tests.hosts.django_project import KINDS, Database
from tests.hosts.test_django import Crm

engine: Engine | None = None
"""What SEQUENCER_ENGINE names."""


def given() -> Engine | None:
    return engine


@pytest.fixture(params=KINDS)
def crm(request, tmp_path, monkeypatch):
    database = Database(request.param, tmp_path)
    crm = Crm(database)
    monkeypatch.setattr(f"{__name__}.engine", crm.engine)
    with override_settings(SEQUENCER_ENGINE=f"{__name__}.engine"):
        yield crm
    database.close()


def called(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def tables(crm):
    """Whether the store's tables are there, as somebody else sees it."""
    return crm.database.has("sequencer_enrollments")


def test_sequencer_migrate(crm):
    """The tables are made once; before, it can be seen what will be done, as a count and as SQL."""
    assert called("sequencer_migrate", "--dry-run") == "3 migration(s) to apply.\n"
    assert "CREATE TABLE" in called("sequencer_migrate", "--sql")
    assert not tables(crm)

    assert called("sequencer_migrate") == "3 migration(s) applied.\n"
    assert tables(crm)
    assert called("sequencer_migrate") == "The tables are up to date.\n"
    assert called("sequencer_migrate", "--sql") == ""


def test_the_tables_come_with_those_of_the_project(crm):
    """At the end of a `migrate` of its database the store's tables are made; that of another database is not its."""
    config = apps.get_app_config("sequencer")

    post_migrate.send(sender=config, using="default", verbosity=0)
    assert not tables(crm)
    post_migrate.send(sender=config, using=crm.alias, verbosity=0)
    assert tables(crm)


def test_a_store_elsewhere_is_left_alone(crm):
    """An engine with a store of its own is no business of the project's databases."""
    with override_settings(SEQUENCER_ENGINE="tests.hosts.test_django_commands.elsewhere"):
        post_migrate.send(sender=apps.get_app_config("sequencer"), using=crm.alias, verbosity=0)
        with pytest.raises(CommandError, match="has no tables"):
            called("sequencer_migrate")
    assert not tables(crm)


def elsewhere():
    return Engine(MemoryStore())


def test_sequencer_tick(crm):
    """One pass hands over what is due, and says how much."""
    crm.create()

    assert called("sequencer_tick") == "1 handed over, 0 failed\n"
    assert called("sequencer_tick") == "0 handed over, 0 failed\n"
    assert len(crm.mailer.sent) == 1


def test_sequencer_tick_in_a_loop(crm):
    """The loop hands over what comes due until it is told to stop by a signal, and ends as if nothing were wrong."""
    crm.create()
    crm.engine.clock = SystemClock()  # which is later
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    send = crm.mailer.send

    def sent(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGTERM)
        return send(*arguments, **keywords)

    crm.mailer.send = sent
    try:
        assert called("sequencer_tick", "--loop", "--seconds", "0.01") == "1 handed over, 0 failed\n"
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert len(crm.mailer.sent) == 1


def test_a_tick_that_is_refused(crm):
    """What the engine refuses is an error of the command, with the remedy, and no traceback."""
    with crm.atomic(), pytest.raises(CommandError, match=r"outside of transaction\.atomic"):
        called("sequencer_tick")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (None, 'such as "crm.sequences.engine"'),
        ("nowhere.engine", "cannot be imported"),
        ("tests.hosts.test_django_commands.nothing", "cannot be imported"),
        ("tests.hosts.test_django_commands.KINDS", "is no Engine"),
    ],
)
def test_a_setting_that_names_no_engine(path, said):
    """Where the setting is missing or wrong, the error says which one and what belongs there."""
    with override_settings(SEQUENCER_ENGINE=path), pytest.raises(ImproperlyConfigured, match=said):
        project_engine()


def test_a_function_that_gives_the_engine(crm):
    """The setting may name a function, which is asked when the engine is needed."""
    with override_settings(SEQUENCER_ENGINE="tests.hosts.test_django_commands.given"):
        assert project_engine() is crm.engine
