"""`spark adopt HOST`: what the owner typed → `sparkfleet.host.adopt` → what became of the machine, as text or JSON."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import AdoptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from sparkfleet.host.adopt import Adoption
    from sparkfleet.host.authorized_keys import Word

PASSWORD_VARIABLE = "SPARK_SETUP_PASSWORD"  # noqa: S105  (the name of a variable)


@click.command()
@click.argument("host")
@click.option("--user", default="nvidia", show_default=True, help="The set-up account of the factory machine.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with that account's password; else ${PASSWORD_VARIABLE}, else a prompt. Not needed a second time.",
)
@click.option("--fingerprint", metavar="SHA256:…", help="The host key you read on the machine; nothing is asked then.")
@click.option(
    "--keys",
    type=click.Choice(["keep", "drop", "ask"]),
    help="What becomes of keys that can log in now.  [default: ask at a terminal, else keep]",
)
@click.option("--keep-key", multiple=True, metavar="SHA256:…", help="Keep this one whatever --keys says. Repeatable.")
@click.option("--drop-key", multiple=True, metavar="SHA256:…", help="Drop this one whatever --keys says. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; what happens meanwhile: on stderr.")
@click.pass_context
def adopt(  # noqa: PLR0913, PLR0917  (one parameter an option)
    context: click.Context,
    host: str,
    user: str,
    password_file: Path | None,
    fingerprint: str | None,
    keys: Word | None,
    keep_key: tuple[str, ...],
    drop_key: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take a factory machine to one that the fleet can describe.

    Pins the host key that you confirm, makes the automation user with a key of its own, proves that login, and then
    keeps or drops the keys that were there before. Safe to run again, also after an interruption.

    \b
    Example:
      spark adopt spark-01
      spark adopt spark-01 --fingerprint SHA256:… --password-file setup-password --keys drop
    """  # noqa: D301  (\b is click's mark for lines that are not to be wrapped)
    from rich.console import Console

    from sparkfleet.host.adopt import AdoptOptions
    from sparkfleet.host.adopt import adopt as take_in
    from sparkfleet.host.authorized_keys import KeyWords

    words = KeyWords(_word(keys), frozenset(map(_bare, keep_key)), frozenset(map(_bare, drop_key)))
    options = AdoptOptions(_password(user, host, password_file), user, fingerprint, words)
    people = Console(stderr=as_json, highlight=False, soft_wrap=True)
    done = take_in(context.obj.fleet(), host, options, ask=_ask, say=lambda line: people.print(line, markup=False))
    if as_json:
        click.echo(json.dumps(done.to_json(), indent=1))
    else:
        show(done, people)


def show(done: Adoption, console: Console) -> None:
    """The result for people: what changed, the keys, what to add to the description."""
    from rich.markup import escape

    console.print(f"\n[bold]{done.host}[/bold] is adopted (machine {escape(done.machine_id)})", style="green")
    console.print(f"  host key    {done.host_key}\n  log in as   {done.user} with {done.controller_key}")
    for change in done.changed or ("nothing: it was adopted before",):
        console.print(f"  changed     {change}", markup=False)
    for word, entries in (("kept", done.kept), ("dropped", done.dropped)):
        for key in entries:
            own = " (the controller's own)" if key.fingerprint == done.controller_key else ""
            console.print(f"  {word:<11} key of {key}{own}", markup=False)
    for note in done.notes:
        console.print(f"note: {note}", markup=False, style="yellow")
    if done.to_describe:
        console.print("\nThe first `pulumi up` makes keys an exact set. To keep these, add to the fleet description:\n")
        console.print(done.to_describe, markup=False)


def _word(keys: Word | None) -> Word:
    """Nobody at the terminal, nothing said: nothing is taken away."""
    at_terminal = sys.stdin.isatty()
    if keys == "ask" and not at_terminal:
        raise AdoptError("--keys ask needs a terminal.", next_step="say --keys keep or --keys drop.")
    return keys or ("ask" if at_terminal else "keep")


def _password(user: str, host: str, file: Path | None) -> Callable[[], str]:
    """Where the password comes from, asked only when it is needed; never the command line."""

    def read() -> str:
        if file:
            return file.read_text().rstrip("\r\n")
        if PASSWORD_VARIABLE in os.environ:
            return os.environ[PASSWORD_VARIABLE]
        if not sys.stdin.isatty():
            return ""
        return str(click.prompt(f"Password of {user} on {host}", hide_input=True, err=True))

    return read


def _ask(question: str) -> bool:
    if not sys.stdin.isatty():
        raise AdoptError(
            f"nobody is there to answer: {question}",
            usually="`spark adopt` runs without a terminal.",
            next_step="read the fingerprint on the machine's console and give it with --fingerprint.",
        )
    return click.confirm(question, err=True)


def _bare(fingerprint: str) -> str:
    return fingerprint.rstrip("=")
