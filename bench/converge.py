"""Stand-ins, peers → how long each takes to find nothing to change, and to change 15 files; one table with ratios.

    python bench/converge.py --hosts 4 --repeat 3 [--json FILE] [--only CASE]…

Simulated hosts, measured times. Makes its own lab (`bench`), removes it, and needs root as the lab does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from bench import measure, report, standins
from bench.peers import environment as peers_environment
from bench.peers import generate
from lab import provision, shell, toolchain
from lab.instance import host_names
from sparkfleet.host.survey import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measure import Run
    from sparkfleet.model import Fleet

HERE = Path(__file__).resolve().parent
SETTLE_S = 3.0  # what a run restarted comes up before the next one is measured


@dataclass(frozen=True)
class Case:
    """One thing that is measured. `touched`: 15 described files differ on every host when it begins."""

    name: str
    run: Callable[[], Run]
    hosts: list[str]
    touched: bool = False


def main() -> int:
    """Measure, print, exit 1 when a goal is missed."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is removed then, too
    names = host_names(2 * options.hosts)
    load_before = os.getloadavg()
    with standins.stand_ins(len(names), say) as fleet, run_folder() as folder:
        runs: dict[str, list[Run]] = {}
        wanted = options.only or [*report.NOTHING, *report.FILES]
        chosen = [case for case in cases(fleet, names, folder, wanted) if case.name in wanted]
        for case in chosen:  # once without counting: caches and compiled files are there then, for everybody
            if case.name in report.WARM_UP:
                measured(fleet, case)
        for number in range(options.repeat):
            for case in chosen:  # in turns, so that what else the machine does falls on all alike
                run = measured(fleet, case)
                runs.setdefault(case.name, []).append(run)
                say(f"run {number + 1}: {case.name}: {run.wall_s:.2f} s")
    result = report.Result(machine(), options.hosts, load_before, os.getloadavg(), runs)
    report.show(result)
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1) + "\n")
    return 0 if report.met(result) else 1


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=4, help="stand-ins a case; one case takes twice as many")
    parser.add_argument("--repeat", type=int, default=3, help="runs a case; the median counts")
    parser.add_argument("--json", type=Path, help="write every run there")
    parser.add_argument("--only", action="append", help="only the case of this name; repeatable")
    return parser.parse_args()


def measured(fleet: Fleet, case: Case) -> Run:
    """One run from a known start, proved afterwards by the product's probe: everybody has to make the same state."""
    if case.touched:
        standins.touch(fleet, case.hosts)
    time.sleep(SETTLE_S)
    run = case.run()
    standins.require_as_described(fleet, case.hosts, case.name)
    return run


def cases(fleet: Fleet, names: list[str], folder: Path, wanted: list[str]) -> list[Case]:
    """Everything that can be measured, in the order of a round; the stack is made when Pulumi is `wanted`."""
    some = names[: len(names) // 2]
    peers = generate.write(fleet, some, folder)
    spark = str(Path(sys.executable).with_name("spark"))
    environment = standins.environment()
    plain = ansible(folder, len(some), pipelining=False)
    pipelining = ansible(folder, len(some), pipelining=True)
    playbook = [
        str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(peers.inventory), str(peers.playbook)
    ]  # fmt: skip
    deploy = HERE / "peers"
    operations = [
        str(peers_environment.program("pyinfra")),
        "-y",
        str(deploy / "inventory.py"),
        str(deploy / "deploy.py"),
    ]
    state = {**os.environ, "BENCH_STATE": str(peers.state)}
    up = pulumi_up(fleet, some, environment) if report.UP_15 in wanted else []
    product = [sys.executable, str(HERE / "product.py"), standins.STACK]

    def process(words: list[str], env: dict[str, str]) -> Callable[[], Run]:
        return lambda: measure.process(words, env)

    return [
        Case(report.PLAN, process([spark, "plan", *some], environment), some),
        Case(report.PLAN_TWICE, process([spark, "plan", *names], environment), names),
        Case(report.PLAN_CALL, lambda: measure.call(lambda: findings(fleet, some)), some),
        Case(report.ANSIBLE, process(playbook, plain), some),
        Case(report.PIPELINING, process(playbook, pipelining), some),
        Case(report.PYINFRA, process(operations, state), some),
        Case(report.APPLY_15, process([*product, *some], environment), some, touched=True),
        Case(report.UP_15, process(up, environment), some, touched=True),
        Case(report.ANSIBLE_15, process(playbook, plain), some, touched=True),
        Case(report.PIPELINING_15, process(playbook, pipelining), some, touched=True),
        Case(report.PYINFRA_15, process(operations, state), some, touched=True),
    ]


def ansible(folder: Path, forks: int, *, pipelining: bool) -> dict[str, str]:
    """Ansible's defaults but for forks and pipelining; ControlPersist is 60 s: the next run finds open connections."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_FORKS": str(forks),
        "ANSIBLE_PIPELINING": str(pipelining),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }


def pulumi_up(fleet: Fleet, hosts: list[str], environment: dict[str, str]) -> list[str]:
    """Make the stack with all hosts in it; return the words that find and mend drift on some of them."""
    tools = toolchain.ensure(("pulumi", "pulumi-language-python"))
    environment["PATH"] = ":".join([*(str(tool.parent) for tool in tools.values()), environment["PATH"]])
    provision.init(standins.INSTANCE, standins.STACK, environment)
    say(f"pulumi up of all {len(fleet.hosts)} stand-ins, not measured")
    shell.run("pulumi", "up", "--yes", "--skip-preview", "--color=never", env=environment, cwd=HERE.parent)
    targets = [f"--target=**::{host}" for host in hosts]
    return ["pulumi", "up", "--yes", "--refresh", "--skip-preview", "--color=never", *targets]


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for what the peers need; the SSH connections that Ansible keeps open are closed at the end."""
    with tempfile.TemporaryDirectory(prefix="sfb-") as name:  # short: ssh's ControlPath must stay under 108 bytes
        folder = Path(name)
        (folder / "ansible.cfg").write_text("")
        try:
            yield folder
        finally:
            for socket in (folder / "cp").glob("*"):
                words = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "any"]
                subprocess.run(words, capture_output=True, check=False)


def machine() -> str:
    """What it was measured on."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{os.cpu_count()} cores ({model[0] if model else platform.machine()}), Linux {platform.release()}"


def say(text: str) -> None:
    """What is under way."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
