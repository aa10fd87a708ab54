"""A hashed lock → a Python environment that is whole or not there. Runs ON the host, as root; standard library only.

    environment.py NAME [GIB]   builds what /etc/sparkfleet/environments/NAME.txt locks; says what it made, or nothing
                                GIB: what must be free before the first byte is fetched

/opt/sparkfleet/NAME is a link to the environment in force. The next one is built beside it, under its own name, and the
link is turned when all of it is on the disk: whoever is killed, or without power, at any point leaves the old one in
force, and the next run goes on with what was fetched. The one before is kept, for programs that still run in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(os.environ.get("SPARKFLEET_ROOT", "/"))  # tests have one of their own
LOCKS = ROOT / "etc/sparkfleet/environments"
PLACE = ROOT / "opt/sparkfleet"
FETCHED = ROOT / "var/cache/sparkfleet"
MADE_FROM = "made-from"  # written last: the digest of the lock and the version of Python
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
# Where Pythons keep the pip that they bring: it is run from its wheel, so that the environment holds the lock alone.
WHEELS = (sysconfig.get_config_var("WHEEL_PKG_DIR"), f"{sysconfig.get_path('stdlib')}/ensurepip/_bundled")
PIP = ("--disable-pip-version-check", "--no-input", "install")
# Only what the lock names, only the very bytes that it names, nothing that would have to be compiled here.
EXACTLY = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--progress-bar=off", "--quiet")
KEPT_WORDS = 12  # lines of pip's, when it fails
FREE_MESSAGE = "No space left on device"


class BuildError(Exception):
    """The environment could not be built; the message says what to do next."""


def ensure(name: str, room_gib: float = 0) -> str:
    """Make the environment `name` what its lock says; returns what was made, nothing when all was there already.

    Raises BuildError, also when there is less room than `room_gib`.
    """
    lock = LOCKS / f"{name}.txt"
    wanted = f"{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]} {VERSION}"
    folder, link = PLACE / "environments" / f"{name}-{wanted.replace(' ', '-py')}", PLACE / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.parent / f".{name}.lock") as held:
        made = not is_whole(folder, wanted)
        if made:
            need(room_gib)
            build(name, lock, folder, held)
            (folder / MADE_FROM).write_text(f"{wanted}\n")
            os.sync()
        before = link.resolve() if link.is_symlink() else None
        if before == folder.resolve():
            return f"built {folder} anew" if made else ""
        turn(link, folder)
        tidy(name, keep={folder, before})
    return f"{link} is {folder.name}" + (f", before {before.name}" if before else "")


def is_whole(folder: Path, wanted: str) -> bool:
    """Whether all of the environment is there: the note that is written last, and its Python runs."""
    try:
        noted = (folder / MADE_FROM).read_text().strip()
        runs = subprocess.run([folder / "bin/python", "-I", "-c", ""], capture_output=True, check=False)
    except OSError:
        return False
    return noted == wanted and runs.returncode == 0


def need(room_gib: float) -> None:
    """Refuse before anything is fetched, where the disk would be full in the middle; a full disk harms all others."""
    FETCHED.mkdir(parents=True, exist_ok=True)
    for place in (PLACE, FETCHED):
        free_gib = shutil.disk_usage(place).free / 2**30
        if free_gib < room_gib:
            raise BuildError(
                f"not begun: it needs {room_gib:g} GiB while it is built, and {place} has {free_gib:.1f} GiB free.\n"
                "  This usually means: data sets, models or container images have filled the disk."
            )


def build(name: str, lock: Path, folder: Path, held: int) -> None:
    """Build it from nothing; what a killed run has fetched is used."""
    if folder.exists():
        shutil.rmtree(folder)
    fetched = FETCHED / f"pip-{name}"
    (fetched / "tmp").mkdir(parents=True, exist_ok=True)
    python = str(folder / "bin/python")
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(folder)], fetched, held)
    run(
        [python, "-I", pip(), *PIP, *EXACTLY, *source(LOCKS / "sources.json"), "--requirement", str(lock)],
        fetched,
        held,
    )
    # By all cores: whoever runs programs of root's environment may not write what Python compiles.
    run([python, "-I", "-m", "compileall", "-q", "-j", "0", str(folder / "lib")], fetched, held, check=False)
    shutil.rmtree(fetched)


def pip() -> str:
    """What `python` runs as pip; raises BuildError when this Python brings none."""
    folders = [Path(place) for place in (*WHEELS, "/usr/share/python-wheels") if place]
    found = [wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))]
    if not found:
        raise BuildError("this Python brings no pip.\n  This usually means: the package python3-venv is missing.")
    return f"{found[-1]}/pip"


def source(described: Path) -> list[str]:
    """The words for pip: the described folder of wheels or index; else its own settings (/etc/pip.conf) decide."""
    wanted = json.loads(described.read_text()) if described.exists() else {}
    if wanted.get("wheels"):
        return ["--no-index", "--find-links", wanted["wheels"]]
    return ["--index-url", wanted["index"]] if wanted.get("index") else []


def run(command: list[str], fetched: Path, held: int, *, check: bool = True) -> None:
    """Run it to its end; raises BuildError with its last words. The lock is its own too: it may outlive us."""
    environment = {key: os.environ[key] for key in os.environ if key.lower().endswith("_proxy")}
    environment |= {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    environment |= {"PIP_CACHE_DIR": str(fetched), "TMPDIR": str(fetched / "tmp")}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        pass_fds=(held,), text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode and check:
        raise BuildError(explained(done.stdout))


def explained(said: str) -> str:
    """What failed, what it usually means, what to do next."""
    if FREE_MESSAGE in said:
        usually = "the file system of /opt or /var/cache is full."
    elif "DO NOT MATCH THE HASHES" in said:
        usually = "the index or the folder of wheels has other files than the lock; nothing of them was used."
    else:
        usually = "the package index is not reached, or lacks one of the packages (node.index, node.wheels)."
    last = "\n".join(f"    {line}" for line in said.strip().splitlines()[-KEPT_WORDS:])
    return f"the environment was not built; the one before stays in force:\n{last}\n  This usually means: {usually}"


def turn(link: Path, folder: Path) -> None:
    """Let the link lead to the folder, in one step."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.relative_to(PLACE))
    fresh.rename(link)
    os.sync()


def tidy(name: str, keep: set[Path | None]) -> None:
    """Remove the environments of this name that nobody needs."""
    kept = {folder.resolve() for folder in keep if folder}
    for folder in (PLACE / "environments").glob(f"{name}-*"):
        if folder.resolve() not in kept:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int]:
    """Hold the lock, waiting for whoever has it; a death releases it."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def main() -> int:
    """Print what was made; 1 and a message when it could not be."""
    os.umask(0o022)
    try:
        made = ensure(sys.argv[1], *map(float, sys.argv[2:3]))
    except (BuildError, OSError) as error:
        print(f"{sys.argv[1]}: {error}\n  Next: mend it, then run the same command again.", file=sys.stderr)
        return 1
    if made:
        print(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
