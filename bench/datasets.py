"""One data set in the lab's object store → how fast it comes, ours beside `aws s3 sync` and rclone; one table.

    python bench/datasets.py [--small 20000] [--large 4] [--repeat 3] [--json FILE]

A real store (versitygw) on this machine, so that client and store share its processors; the contenders take turns.
Cold: an empty folder. Warm: nothing has changed. Every run must leave the very files that were published, and ours
checks each against its manifest while it comes. Needs some 6 GiB of disk; removes all of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench import measure
from bench.converge import machine, say
from bench.measure import BenchError, median
from bench.peers import environment
from lab.instance import CHECKOUT
from lab.toolchain import ensure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measure import Run

OURS, RCLONE, AWS = "spark-node datasets sync", "rclone sync", "aws s3 sync"
SMALL_BYTES, LARGE_BYTES = 16 << 10, 256 << 20
AWS_RATIO, RCLONE_RATIO, WARM_S, CACHE_SHARE = 3.0, 0.95, 3.0, 0.05
BUCKET, PREFIX, VERSION = "bench", "shared/mix", "v1"
CONNECTIONS = 16
KEY = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-on-loopback", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True)
class Bench:
    """Where everything lies during a run."""

    folder: Path
    endpoint: str

    @property
    def source(self) -> Path:
        """What was published."""
        return self.folder / "source"

    def case(self, name: str) -> tuple[list[str], dict[str, str], Path]:
        """How a contender is called, with what environment, and where its files come to lie."""
        target = self.folder / "hosts" / name.split(maxsplit=1)[0]
        data = f"{BUCKET}/{PREFIX}/data/{VERSION}"
        env = {**os.environ, **KEY, "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(CHECKOUT)}
        if name == OURS:
            words = [sys.executable, "-m", "workloads", "datasets", "sync", "--quiet", "--config", str(self.config)]
            return words, env, target / "mix" / "current"
        if name == RCLONE:
            program = ensure(["rclone"])["rclone"]
            remote = f":s3,provider=Other,env_auth,force_path_style,region=us-east-1,endpoint='{self.endpoint}':{data}"
            many = ["--transfers", str(CONNECTIONS), "--checkers", str(CONNECTIONS), "--config", os.devnull]
            return [str(program), "sync", remote, str(target), *many], env, target
        env["AWS_CONFIG_FILE"] = str(self.folder / "aws.config")
        words = [str(environment.program("aws")), "--endpoint-url", self.endpoint, "s3", "sync", f"s3://{data}"]
        return [*words, str(target), "--only-show-errors"], env, target

    @property
    def config(self) -> Path:
        """Ours, as a host has it."""
        return self.folder / "datasets.json"


def main() -> int:
    """Measure, print, exit 1 when a goal is missed."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    runs: dict[tuple[str, str], list[Run]] = {(kind, c): [] for kind in ("cold", "warm") for c in (OURS, RCLONE, AWS)}
    with store() as bench:
        say("making and publishing the files")
        count = make(bench, options.small, options.large)
        publish(bench)
        wanted, cached = listing(bench.source), 0
        for number in range(options.repeat):
            for case in (OURS, RCLONE, AWS):
                words, env, target = bench.case(case)
                shutil.rmtree(bench.folder / "hosts" / case.split()[0], ignore_errors=True)
                os.sync()  # nobody pays for the run before
                for kind in ("cold", "warm"):
                    run = measure.process(words, env)
                    runs[kind, case].append(run)
                    say(f"run {number + 1}: {case}, {kind}: {run.wall_s:.1f} s")
                    if kind == "cold" and case == OURS:
                        cached = max(cached, in_page_cache(target))
                if listing(target) != wanted:
                    raise BenchError(f"{case} left other files than were published")
    told = Told(count, options.small * SMALL_BYTES + options.large * LARGE_BYTES, runs, cached)
    missed = told.show()
    if options.json:
        plain = {f"{case}, {kind}": [vars(run) for run in some] for (kind, case), some in runs.items()}
        options.json.write_text(json.dumps({"machine": machine(), "cached": cached, "runs": plain}, indent=1) + "\n")
    return 1 if missed else 0


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--small", type=int, default=20_000, help="files of 16 KiB")
    parser.add_argument("--large", type=int, default=4, help="files of 256 MiB")
    parser.add_argument("--repeat", type=int, default=3, help="runs a case; the median counts")
    parser.add_argument("--json", type=Path, help="write every run there")
    return parser.parse_args()


@contextmanager
def store() -> Iterator[Bench]:
    """A versitygw of our own on loopback; all is removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sparkfleet-bench-datasets-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "store" / BUCKET).mkdir(parents=True)
    words = [str(ensure(["versitygw"])["versitygw"]), "--quiet", "--port", f"127.0.0.1:{port}"]
    env = {"ROOT_ACCESS_KEY": KEY["AWS_ACCESS_KEY_ID"], "ROOT_SECRET_KEY": KEY["AWS_SECRET_ACCESS_KEY"]}
    server = subprocess.Popen([*words, "posix", str(folder / "store")], env=env, stdout=subprocess.DEVNULL)
    try:
        answering(port)
        bench = Bench(folder, f"http://127.0.0.1:{port}")
        wanted = {"mix": {"bucket": BUCKET, "prefix": PREFIX}}
        at = {"endpoint": bench.endpoint, "region": "us-east-1"}
        ours = {"folder": str(folder / "hosts/spark-node"), "connections": CONNECTIONS, "store": at, "sets": wanted}
        bench.config.write_text(json.dumps(ours))
        (folder / "aws.config").write_text(f"[default]\ns3 =\n  max_concurrent_requests = {CONNECTIONS}\n")
        yield bench
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)


def answering(port: int, within_s: float = 20.0) -> None:
    """Return when the store takes connections."""
    until = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def make(bench: Bench, small: int, large: int) -> int:
    """Random files, which nothing can compress or share; how many."""
    for number in range(small):
        file = bench.source / "small" / f"{number // 200:03d}" / f"{number % 200:03d}.bin"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(SMALL_BYTES))
    (bench.source / "large").mkdir(parents=True)
    for number in range(large):
        with (bench.source / "large" / f"{number}.bin").open("wb") as out:
            for _ in range(LARGE_BYTES >> 24):
                out.write(os.urandom(1 << 24))
    return small + large


def publish(bench: Bench) -> None:
    """As a person does it."""
    _, env, _ = bench.case(OURS)
    words = [sys.executable, "-m", "workloads", "datasets", "publish", "mix", str(bench.source), "--version", VERSION]
    measure.process([*words, "--config", str(bench.config)], env)


def listing(folder: Path) -> dict[str, str]:
    """Every file and its digest."""
    found = {}
    for file in sorted(each for each in folder.resolve().rglob("*") if each.is_file()):
        with file.open("rb") as data:
            found[str(file.relative_to(folder.resolve()))] = hashlib.file_digest(data, "sha256").hexdigest()
    return found


def in_page_cache(folder: Path) -> int:
    """How many bytes of the files are in memory (mincore(2), asked by util-linux' fincore)."""
    files = sorted(str(each) for each in folder.resolve().rglob("*") if each.is_file())
    total = 0
    for at in range(0, len(files), 1000):
        words = ["fincore", "--bytes", "--noheadings", "--output", "RES", *files[at : at + 1000]]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        total += sum(map(int, done.stdout.split()))
    return total


@dataclass(frozen=True)
class Told:
    """What was measured."""

    files: int
    size: int
    runs: dict[tuple[str, str], list[Run]]
    cached: int

    def goals(self) -> list[tuple[str, float, str, bool]]:
        """What it is, the figure, the goal, whether it is reached."""
        wall = {case: median(some).wall_s for case, some in self.runs.items()}
        share = self.cached / self.size
        found = [(f"warm, {self.files} unchanged", wall["warm", OURS], f"< {WARM_S} s", wall["warm", OURS] < WARM_S)]
        for kind in ("cold", "warm"):
            for peer, least in ((AWS, AWS_RATIO), (RCLONE, RCLONE_RATIO)):
                ratio = wall[kind, peer] / wall[kind, OURS]
                found.append((f"{kind}: times as fast as {peer}", ratio, f"≥ {least}", ratio >= least))
        found.append(("of the data in the page cache after it", share, f"≤ {CACHE_SHARE}", share <= CACHE_SHARE))
        return found

    def show(self) -> bool:
        """Two tables; whether a goal is missed."""
        console = Console(width=130)
        table = Table(title=f"{self.files} files, {self.size / 2**30:.2f} GiB; a real versitygw on this machine")
        for column in ("case", "wall s", "MiB/s", "files/s", "client CPU s", "runs"):
            table.add_column(column, justify="left" if column == "case" else "right")
        for (kind, case), some in self.runs.items():
            middle, times = median(some), " ".join(f"{run.wall_s:.1f}" for run in some)
            rate, files = self.size / 2**20 / middle.wall_s, self.files / middle.wall_s
            cells = [f"{middle.wall_s:.1f}", f"{rate:.0f}", f"{files:.0f}", f"{middle.cpu_s:.1f}", times]
            table.add_row(f"{case}, {kind}", *cells)
        console.print(table)
        goals = Table(title=machine())
        for column in ("goal", "measured", "wanted", "reached"):
            goals.add_column(column)
        for what, figure, wanted, reached in self.goals():
            goals.add_row(what, f"{figure:.2f}", wanted, "yes" if reached else "NO")
        console.print(goals)
        return not all(reached for *_, reached in self.goals())


if __name__ == "__main__":
    sys.exit(main())
