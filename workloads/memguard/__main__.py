"""`spark-memguard`: make room for a model before it is loaded, and tell what was done.

    spark-memguard --need 40G                            before a load: exit 0, it may begin
    spark-memguard --need 40G --file /srv/models/x -- vllm serve /srv/models/x
    spark-memguard --need 40G --watch --json             keep a floor free while the weights are read

Exit codes: 0 there is room, 1 the guard failed, 2 wrong words, 3 the need does not fit, 4 still short, 5 a GPU job
serves, 6 too soon after the last time, 7 not allowed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.memguard import client, config, kept, report, room, serving, watch
from workloads.memguard.memory import UnreadableError
from workloads.memguard.request import Request, from_instance, size_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

WATCH_UNIT = "sparkfleet-memguard-watch.service"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; the one place that prints and ends."""
    given = flags().parse_args(arguments)
    if given.nvml:
        print(serving.answer())
        return 0
    try:
        return run(given)
    except client.ClientError as error:
        print(f"spark-memguard: {error}", file=sys.stderr)
        return error.code
    except (config.ConfigError, UnreadableError, OSError) as error:
        print(f"spark-memguard: {error}", file=sys.stderr)
        return 1


def run(given: argparse.Namespace) -> int:
    """What the words ask for."""
    settings = config.load(given.config)
    if given.unit:
        return as_unit(settings, from_instance_or_end(given.unit))
    if given.run_watch:
        watch.run(settings)
        return 0
    request = Request(given.need or "", given.slab, given.watch, given.force)
    if given.dry_run or not given.need:
        made = room.Guard(settings, request, ()).run().as_dict()
    else:
        made = client.ask(settings, request, given.file)
    show(made, as_json=given.json)
    if made["code"] == 0 and given.command:
        os.execvp(given.command[0], given.command)  # noqa: S606  (the caller's own command)
    return int(made["code"])


def as_unit(settings: config.Config, request: Request) -> int:
    """What spark-memguard@.service runs, as root."""
    with kept.alone(settings):
        limit = kept.Limit(settings)
        made = (
            room.Guard(settings, request, room.of_unit(settings), wait_s=limit.wait_s, took=limit.took).run().as_dict()
        )
        kept.keep(settings, made)
    show(made, as_json=False)
    if made["code"] == 0 and request.watch:
        subprocess.run(["systemctl", "restart", "--no-block", WATCH_UNIT], check=True)
    return int(made["code"])


def from_instance_or_end(text: str) -> Request:
    """The request of a unit's instance; ends with 2 when it is none."""
    try:
        return from_instance(text)
    except ValueError as error:
        print(f"spark-memguard: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def show(made: dict[str, Any], *, as_json: bool) -> None:
    """Tell it, at once: what follows may be another program."""
    print(json.dumps(made) if as_json else report.text(made), flush=True)


def size(text: str) -> str:
    """An argument that is a size."""
    try:
        size_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def flags() -> argparse.ArgumentParser:
    """The words that are understood."""
    parser = argparse.ArgumentParser(
        prog="spark-memguard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--need", type=size, help="what the load will allocate, such as 40G; none: only tell")
    parser.add_argument("--file", action="append", default=[], help="a file or folder of weights; let go of first")
    parser.add_argument("--slab", action="store_true", help="directory entries and inodes too (drop_caches 3)")
    parser.add_argument("--watch", action="store_true", help="keep the floor free while the weights are read")
    parser.add_argument("--force", action="store_true", help="also while a GPU job serves; for administrators")
    parser.add_argument("--dry-run", action="store_true", help="tell whether there is room; change nothing")
    parser.add_argument("--json", action="store_true", help="the report as one line of JSON")
    parser.add_argument("--config", type=Path, default=config.FILE, help=argparse.SUPPRESS)
    parser.add_argument("--unit", help=argparse.SUPPRESS)
    parser.add_argument("--run-watch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument(serving.ASK, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("command", nargs="*", help="run this when there is room (after --)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
