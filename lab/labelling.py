"""An instance → what the label loop speaks to: Label Studio, Calypso with its bucket, models; and the file naming them.

    python -m lab label            start what does not run; says what to try
    spark-node label run --project examples/contracts --site .lab/lab/label/site.json

Real: all three servers and their protocols. Simulated: the weights, tiny ones trained on generated sentences.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.table import Table

from lab import calypso, environments, models, network, reviewing, store, toolchain
from lab.calypso import repository
from lab.progress import silent

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from lab.instance import Instance
    from lab.progress import Step


def up(instance: Instance, step: Step = silent) -> Path:
    """Make what is missing; returns the site file once all answer. `down` removes it all.

    The instance must be claimed. Projects and reviews outlive a stop, not a `down`.
    """
    python = environments.python(environments.ensure("label", step))
    network.up(instance)
    with step("object store"):
        store.up(instance, toolchain.ensure(["versitygw"], step)["versitygw"])
    served = repository.ensure(instance)
    with step("Calypso"):
        url = calypso.up(instance, calypso.ensure(step), repository=served)
    review = reviewing.up(instance, step)
    site = {
        "workspace": str(folder(instance) / "work"),
        "datasets": str(folder(instance) / "datasets"),
        "artifacts": str(models.ensure(step)),
        "python": str(python),
        "label_studio": {"url": review, "token_file": str(reviewing.token_file(instance))},
        "models": {
            "endpoint": served.endpoint, "region": served.region, "bucket": served.bucket, "prefix": served.prefix,
            "credentials": str(served.credentials),
        },
        "calypso": {
            "url": url,
            "metrics_url": f"http://{instance.gateway}:{calypso.METRICS_PORT}/metrics",
            "admin_key_file": str(calypso.admin_key(instance)),
        },
    }  # fmt: skip
    folder(instance).mkdir(parents=True, exist_ok=True)
    site_file(instance).write_text(json.dumps(site, indent=1) + "\n")
    return site_file(instance)


def folder(instance: Instance) -> Path:
    """Where the projects' workspaces and the site file lie."""
    return instance.folder / "label"


def site_file(instance: Instance) -> Path:
    """What `spark-node label … --site` takes."""
    return folder(instance) / "site.json"


def show(instance: Instance, console: Console) -> None:
    """What runs, where to look, what to try."""
    made = Table(title=f"label loop in lab {instance.name!r}", title_justify="left", show_header=False)
    made.add_column()
    made.add_column(overflow="fold")  # a path that is cut is of no use
    made.add_row("Label Studio", f"{reviewing.url(instance)}  account {reviewing.EMAIL}")
    made.add_row("its password", str(reviewing.password_file(instance)))
    made.add_row("Calypso [yellow](simulated: no GPU)[/yellow]", f"gRPC http://{instance.gateway}:{calypso.GRPC_PORT}")
    made.add_row("model repository", f"{instance.endpoint}  bucket {repository.BUCKET}, prefix {repository.PREFIX}")
    made.add_row("site file", str(site_file(instance)))
    console.print(made)
    console.print("Next:", style="bold")
    for command in (
        "python -m examples.make contracts examples/contracts/documents --documents 40 --seed 7",
        f"export SPARKFLEET_LABEL_SITE={site_file(instance)}",
        "spark-node label run --project examples/contracts",
        "spark-node label status --project examples/contracts",
    ):
        console.print(f"  {command}", style="bold", highlight=False, soft_wrap=True)
