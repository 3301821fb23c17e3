"""`token create`, `token list`, `token revoke`: who may come in at the HTTP door."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from sequencer.cli.moments import clock_time
from sequencer.cli.options import Commands, Parser, Refusal, add_command, identifier
from sequencer.cli.output import Output, Table, dim
from sequencer.cli.places import place_of
from sequencer.core.instants import to_iso
from sequencer.engine.stored import ALL_ACCOUNTS
from sequencer.engine.tokens import Token

if TYPE_CHECKING:
    from sequencer.http.tokens import Tokens

__all__ = ["needing_extra", "register"]

_ID = 19
"""As many digits as an id may have; what is longer is a token."""
_TOKEN = 64


def register(commands: Commands) -> None:
    """Declare the commands of this group."""
    summary = "who may come in at `serve`: make, list and revoke tokens"
    parser = commands.add_parser("token", help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    inner = parser.add_subparsers(title="commands", metavar="COMMAND", dest="subcommand", parser_class=Parser)
    # Not `required`: what is missing is better said with the three there are.
    parser.set_defaults(run=_nothing)

    create = add_command(
        inner,
        "create",
        _create,
        "make a token, and show it this once",
        example="sequencer token create --db crm.db --scope write --actor 7 --name 'the CRM'",
        more=(
            "A token is access to one account. The token, and nothing else, comes to standard output; the store keeps\n"
            "a hash of it. The store is made if it is not there."
        ),
        account=False,
    )
    create.add_argument("--account", metavar="A", help="access to this account (default: the one without a name)")
    create.add_argument("--scope", choices=["read", "write"], default="read", help="write includes read (read)")
    create.add_argument("--actor", metavar="ID", help="the user in whose name its bearer enrolls and finishes")
    create.add_argument("--name", metavar="N", default="", help="what it is for, for whoever wants to revoke it")

    listing = add_command(
        inner,
        "list",
        _list,
        "the tokens, also the revoked ones, without their secrets",
        example="sequencer token list --db crm.db",
        account=False,
    )
    listing.add_argument("--account", metavar="A", help="only those of this account (default: all)")

    revoke = add_command(
        inner,
        "revoke",
        _revoke,
        "take a token out of force, at once",
        example="sequencer token revoke 3 --db crm.db\nsequencer token revoke --db crm.db < leaked.txt",
        more="By its id, or by itself, which is better read from standard input. Exit status 1 if it is not in force.",
        account=False,
    )
    revoke.add_argument("token", metavar="ID|TOKEN", nargs="?", help="which (default: a line of standard input)")


def _nothing(arguments: argparse.Namespace, out: Output) -> int:
    raise Refusal("needs create, list or revoke (see sequencer token --help)")


@contextmanager
def needing_extra(what: str) -> Iterator[None]:
    """Say which extra is missing where a part of it cannot be imported."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == "sequencer":
            raise
        raise Refusal(f"{what} needs the extra http: pip install 'sequencer[http]' ({error})") from None


@contextmanager
def _tokens(arguments: argparse.Namespace, *, create: bool = False) -> Iterator[Tokens]:
    with needing_extra("token"):
        from sequencer.http.tokens import Tokens
    with closing(place_of(arguments, create=create, maker="token create").store()) as store:
        yield Tokens(store)


def _create(arguments: argparse.Namespace, out: Output) -> int:
    account = None if arguments.account is None else identifier(arguments.account, "--account")
    actor_id = None if arguments.actor is None else identifier(arguments.actor, "--actor")
    with _tokens(arguments, create=True) as tokens:
        token, secret = tokens.create(account=account, scope=arguments.scope, actor_id=actor_id, name=arguments.name)
    out.document({**_shown(token), "token": secret})
    if not out.json:
        whose = "the account without a name" if account is None else f"account {account!r}"
        out.aside(
            f"token {token.id}: {token.scope} for {whose}. It is shown this once; keep it as you keep a password."
        )
    out.say(secret)
    return 0


def _list(arguments: argparse.Namespace, out: Output) -> int:
    account: Any = ALL_ACCOUNTS if arguments.account is None else identifier(arguments.account, "--account")
    with _tokens(arguments) as tokens:
        found = tokens.all(account)
    out.document({"tokens": [_shown(token) for token in found]})
    table = Table([">=id", "account", "=scope", "actor", "name", "=created (UTC)", "=revoked (UTC)"])
    for token in found:
        revoked = clock_time(token.revoked_at, "UTC")
        cells = [token.account, token.scope, token.actor_id, token.name, clock_time(token.created_at, "UTC"), revoked]
        table.add(token.id, *(dim("" if each is None else each) if revoked else each for each in cells))
    out.table(table, empty="No tokens.")
    return 0


def _revoke(arguments: argparse.Namespace, out: Output) -> int:
    given = sys.stdin.readline() if arguments.token in {None, "-"} else arguments.token
    given = given.strip()
    if not given:
        raise Refusal("needs the id of a token, or the token, as an argument or on standard input")
    by_id = given.isascii() and given.isdecimal() and len(given) <= _ID
    if not by_id and len(given) != _TOKEN:
        # Not repeated either: it may be most of a token.
        which = "which `sequencer token list` shows, or the token itself"
        raise Refusal(f"needs the id of a token, {which}: {_TOKEN} characters")
    with _tokens(arguments) as tokens:
        revoked = tokens.revoke(int(given) if by_id else given)
    out.document({"revoked": revoked})
    # A token is never repeated: it may still be in force elsewhere, and whoever reads over a shoulder reads this, too.
    name = f"token {given}" if by_id else "that token"
    if not revoked:
        out.aside(f"sequencer token revoke: {name} is not in force here; `sequencer token list` shows which are")
        return 1
    out.say(f"{name} is revoked")
    return 0


def _shown(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "account": token.account,
        "scope": token.scope,
        "actor_id": token.actor_id,
        "name": token.name,
        "created_at": to_iso(token.created_at),
        "revoked_at": token.revoked_at and to_iso(token.revoked_at),
    }
