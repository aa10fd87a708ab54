"""A lab that came up → what a newcomer wants to see: what exists, where to look, what to try next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich.panel import Panel
from rich.table import Table

from lab import env, provision, shell, spark, stack

if TYPE_CHECKING:
    from rich.console import Console

    from lab.progress import Progress
    from lab.up import Lab


def show(lab: Lab, progress: Progress) -> None:
    """Print all of it."""
    console = progress.console
    console.print()
    console.print(_made(lab))
    if lab.urls:
        console.print(_resources(lab), style="dim", highlight=False)
    _next(lab, console)
    console.print(progress.table())


def _made(lab: Lab) -> Table:
    instance = lab.instance
    made = Table(title=f"lab {instance.name!r}", title_justify="left", show_header=False)
    for host in lab.hosts:
        system = dgx_release((spark.tree(instance, host) / "etc/dgx-release").read_text())
        state = "adopted and provisioned" if lab.urls else "in factory state"
        where = f"{instance.tailnet_address(host)} (tailnet)" if lab.tailnet and lab.urls else instance.address(host)
        made.add_row(f"{host} [yellow](simulated)[/yellow]", f"{where}  {system}, {state}")
    if lab.tailnet:
        made.add_row("tailnet", f"{instance.tailnet}  control server {instance.login_server}")
    made.add_row("object store", f"S3 {instance.endpoint}  IAM {instance.iam_endpoint}")
    for kind, bucket in buckets(lab).items():
        made.add_row(f"bucket for {kind}", bucket)
    for service, url in lab.urls.items():
        made.add_row(service.capitalize(), url)
    if (page := provision.fleet_page(instance)).exists():
        made.add_row("fleet page", f"{page}  a snapshot: in the first minutes its plots are short")
    made.add_row("pulumi", shell.run(str(lab.tools["pulumi"]), "version").strip() + f", stack {lab.stack}")
    made.add_row("files", str(instance.folder))
    return made


def buckets(lab: Lab) -> dict[str, str]:
    """What the stack says it made; nothing before it was provisioned."""
    if not lab.urls:
        return {}
    words = env.process(lab.instance, lab.stack)
    said = shell.run("pulumi", "stack", "output", "--json", env=words, cwd=lab.instance.root)
    found: dict[str, str] = json.loads(said).get("buckets", {})
    return found


def dgx_release(text: str) -> str:
    """/etc/dgx-release → `DGX Spark 7.2.3, update 7.5.0`: the last update counts, they are appended."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    words = {name: value.strip('"') for name, value in fields.items()}
    return f"{words['DGX_NAME']} {words['DGX_SWBUILD_VERSION']}, update {words['DGX_OTA_VERSION']}"


def _resources(lab: Lab) -> str:
    """The end of what `pulumi up` said: how much was made."""
    said = provision.up_log(lab.instance).read_text()
    return said[said.rfind("Resources:") :].strip() if "Resources:" in said else ""


def _next(lab: Lab, console: Console) -> None:
    """Four things to try, as commands to paste."""
    other = lab.instance.name != "lab"
    suffix = f" NAME={lab.instance.name}" if other else ""
    host = next(iter(stack.monitors(stack.read(lab.instance, lab.stack))), lab.hosts[0]) if lab.urls else lab.hosts[0]
    heat = f"python -m lab scenario {host} stress" + (f" --name {lab.instance.name}" if other else "")
    alerts = f", at {lab.urls['prometheus']}/classic/alerts" if lab.urls else ""
    tries = Table.grid(padding=(0, 1))
    for number, (command, what) in enumerate(
        (
            (f'eval "$(make -s env{suffix})"; spark plan', "what differs between the description and the hosts"),
            ("spark status --live", "how the hosts are; `spark status --html fleet.html` makes the page anew"),
            (
                "pulumi preview --diff",
                f"after a change in {stack.file(lab.instance, lab.stack).name}; `pulumi up` makes it so",
            ),
            (heat, f"heats the simulated GB10; watch Gb10Hot fire{alerts}"),
        ),
        start=1,
    ):
        tries.add_row(f"{number}.", f"[bold]{command}[/bold]")
        tries.add_row("", what)
    console.print(Panel(tries, title="four things to try", title_align="left"))
    console.print(f"`make down{suffix}` removes all of it.")
