"""`spark-node images`: build, scan, list; what they show and with what they exit."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from pathlib import Path
from typing import Any

import click

from workloads.errors import GateError, NodeError
from workloads.images import build as building
from workloads.images import engine as engines

FILE = "images.json"  # what was built last, by name; written when an image is made and inspected
ENGINE = click.option("--engine", default="", help="docker or podman; otherwise the first that is installed.")
OUT = click.option(
    "--out", type=click.Path(path_type=Path), default=Path("/var/lib/sparkfleet/images"), show_default=True,
    help="Where images.json, bills of materials and the build's log go.",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Plain data on standard output.")


@click.group()
def images() -> None:
    """Make the label loop's images, look into them, tell what they are."""


@images.command()
@click.argument("only", nargs=-1)
@click.option("--base", required=True, help="IMAGE@sha256:… with Python 3.11 or newer and its venv.")
@click.option("--serve-base", default="", help="IMAGE@sha256:… with tritonserver, for `serve`.")
@click.option("--program", type=click.Path(path_type=Path), help="A folder with versitygw, for `store`.")
@click.option("--torch", type=click.Choice(["lock", "base"]), default="lock", show_default=True,
              help="Whose torch: the lock's, or the one that NGC's PyTorch image brings.")  # fmt: skip
@click.option("--pip-config", type=click.Path(path_type=Path), help="A pip.conf; seen while building, never kept.")
@click.option("--engine-option", "options", multiple=True, help="More words for `build`, as they are.")
@click.option("--checkout", type=click.Path(path_type=Path), default=building.HERE.parents[1], show_default=False,
              help="The project's files.  [default: where this program lies]")  # fmt: skip
@ENGINE
@OUT
@JSON
def build(  # noqa: PLR0913  (the options of a verb)
    only: tuple[str, ...], *, base: str, serve_base: str, program: Path | None, torch: building.Torch,
    pip_config: Path | None, options: tuple[str, ...], checkout: Path, engine: str, out: Path, as_json: bool,
) -> None:  # fmt: skip
    """Make the images ONLY, or all. Each is inspected, and refused with a secret or a setuid file in it.

    \b
    spark-node images build --base <registry>/nvidia/pytorch:25.11-py3@sha256:<digest> --torch base
    """  # noqa: D301  (click's mark for "do not re-wrap")
    wanted = building.Wanted(base, serve_base, program, torch, pip_config, options)
    names, files = building.chosen(only, wanted), building.context(checkout, torch)
    program_, made = engines.find(engine), {}
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="images-") as temporary:
        folder, id_file = Path(temporary, "context"), Path(temporary, "id")
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for name in names:
            click.echo(f"{name}: building", err=True)
            engines.build(
                building.words(program_, name, wanted, files, folder=folder, id_file=id_file), out / "build.log"
            )
            made[name] = id_file.read_text(encoding="ascii").strip()
            # The same id is the same bytes: reading six gigabytes again tells nothing new.
            read_as = [made[name], made["tools"]]
            if _known(out).get(name, {}).get("read_as") != read_as:
                _keep(out, name, _inspected(program_, made[name], made["tools"], name, out) | {"read_as": read_as})
    _show({name: each for name, each in _known(out).items() if name in made}, as_json=as_json)


@images.command()
@click.argument("image")
@ENGINE
@OUT
@JSON
def scan(image: str, engine: str, out: Path, *, as_json: bool) -> None:
    """Look for secrets and setuid files in IMAGE. It may be any that is here; exit 23 when there are some."""
    program, known = engines.find(engine), _known(out)
    if "tools" not in known:
        raise NodeError(
            "there is no image `tools` here", next_step="`spark-node images build tools --base …` makes it."
        )
    found = _inspected(program, engines.inspect(program, image)["Id"], known["tools"]["id"], "scanned", out)
    _show({image: found}, as_json=as_json)


@images.command("list")
@OUT
@JSON
def list_(out: Path, *, as_json: bool) -> None:
    """Show what was built here: id, size, packages, findings."""
    _show(_known(out), as_json=as_json)


def _inspected(engine: str, image: str, tools: str, name: str, out: Path) -> dict[str, Any]:
    """What is told of an image; its bill of materials goes to `out`. Raises GateError for findings."""
    found = engines.inspected(engine, image, tools, name)
    bill = out / f"{name}.cdx.json"
    bill.write_text(found.pop("bill"), encoding="utf-8")
    if found["findings"]:
        shown = "\n    ".join(found["findings"][:20])
        raise GateError(
            f"{name} ({image}) may not run, {len(found['findings'])} findings:\n    {shown}",
            usually="something was copied into it that belongs into a secret, or its base brings it",
            next_step="take it out of the Containerfile or its base, and build again.",
        )
    stored = engines.inspect(engine, image).get("Size", 0)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return {"id": image, "stored_bytes": stored, **found, "bill": bill.name, "inspected_at": now}


def _known(out: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((out / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def _keep(out: Path, name: str, told: dict[str, Any]) -> None:
    """Whole or not at all: units are pinned by what stands here."""
    fresh = out / f".{FILE}.new"
    fresh.write_text(json.dumps(_known(out) | {name: told}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(out / FILE)


def _show(told: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("image", "id", "GB", "packages", "findings")
    for name, each in told.items():
        size = f"{each['stored_bytes'] / 1e9:.2f}"
        table.add_row(name, each["id"].removeprefix("sha256:")[:12], size, str(each["packages"]), "none")
    Console(highlight=False).print(table)
