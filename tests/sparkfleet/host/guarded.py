"""A folder that stands for a host, and stub programs → what the guard's tests drive: the real script, killed anywhere.

The stubs keep just enough state to be honest: which units are active, and the firewall's table.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import TYPE_CHECKING, Any

from sparkfleet.host import guard

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMCTL = """#!/bin/sh
[ "$1" = --no-block ] && shift
case "$1" in
  is-active) [ -e "$HOST/units/$3" ] ;;
  stop) rm -f $HOST/units/$2 ;;
  start) touch "$HOST/units/$2" ;;
  restart) [ -e "$HOST/units/$2" ] ;;
esac
"""
SYSTEMD_RUN = """#!/bin/sh
[ ! -e "$HOST/no-timers" ] || { echo "Failed to start transient timer unit" >&2; exit 1; }
touch "$HOST/units/${1#--unit=}.timer"
"""
NFT = """#!/bin/sh
if [ "$1" = -f ]; then
  rules=$(sed 1,2d)  # the two lines that clear the table
  case "$rules" in *refused*) echo "syntax error" >&2; exit 1 ;; esac
  if [ -n "$rules" ]; then echo "$rules" > "$HOST/table"; else rm -f "$HOST/table"; fi
else
  cat "$HOST/table" 2>/dev/null
fi
"""
STUBS = {"systemctl": SYSTEMCTL, "systemd-run": SYSTEMD_RUN, "nft": NFT, "sshd": "#!/bin/sh\n"}
SOURCE = guard.source()
CODE = compile(f"{SOURCE}\nmain(REQUEST)\n", "guard", "exec")
# What a kill or a power cut can fall between: each of these is something that stays.
EFFECTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod", "os.chown", "subprocess.Popen"}
KILLED = 137


class FakeHost:
    """Versions of a way in: `change(3)` is what a run makes of the host, whole, and `versions` what there is now."""

    def __init__(self, folder: Path) -> None:
        """Make version 0 in `folder`."""
        self.root = folder / "host"
        for path in (
            "etc/ssh/sshd_config.d",
            "etc/sudoers.d",
            "etc/sparkfleet",
            "etc/systemd/system",
            "units",
            "var/lib",
        ):
            (self.root / path).mkdir(parents=True)
        (self.root / "bin").mkdir()
        for name, text in STUBS.items():
            (self.root / "bin" / name).write_text(text)
            (self.root / "bin" / name).chmod(0o755)
        self.change(0)

    def change(self, version: int) -> None:
        """Another content, a file that is new, one that is gone, a link, a unit that stopped, another table."""
        for path in ("etc/ssh/sshd_config", "etc/sparkfleet/firewall.nft", "etc/sudoers.d/90-sparkfleet"):
            (self.root / path).write_text(f"{version}\n")
        for old in (self.root / "etc/ssh/sshd_config.d").iterdir():
            old.unlink()
        (self.root / f"etc/ssh/sshd_config.d/{version}.conf").write_text(f"{version}\n")
        link = self.root / "etc/systemd/system/ssh.socket"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{version}")
        (self.root / "table").write_text(f"table inet sparkfleet {{ {version} }}\n")
        (self.root / "units/ssh.service").unlink(missing_ok=True) if version else self.serve()

    def serve(self) -> None:
        """Sshd runs."""
        (self.root / "units/ssh.service").touch()

    @property
    def versions(self) -> set[str]:
        """Which versions the host's parts are of; one when it is whole."""
        parts = [
            self.root / p for p in ("etc/ssh/sshd_config", "etc/sparkfleet/firewall.nft", "etc/sudoers.d/90-sparkfleet")
        ]
        names = [f.name.removesuffix(".conf") for f in (self.root / "etc/ssh/sshd_config.d").iterdir()]
        link = (self.root / "etc/systemd/system/ssh.socket").readlink().name
        table = (self.root / "table").read_text().split()[-2]
        return {*(p.read_text().strip() for p in parts), *names, link, table}

    @property
    def armed(self) -> bool:
        """Whether the host would undo a change."""
        return (self.root / "var/lib/sparkfleet-guard/armed.json").exists()

    @property
    def timers(self) -> list[str]:
        """The ids whose dead-man timers run."""
        found = (self.root / "units").glob("sparkfleet-guard-*.timer")
        return [unit.name.removeprefix("sparkfleet-guard-").removesuffix(".timer") for unit in found]

    def do(self, verb: str, name: str = "", *, effects: int | None = None, bytes_left: int = -1) -> dict[str, Any]:
        """Run the script with a request, in a process of its own; {} when it was killed.

        It is killed before the effect number `effects`; files can grow to `bytes_left` bytes, as on a full disk.
        """
        request = {
            "do": verb,
            "id": name,
            "by": f"run {name}",
            "window_s": 60,
            "source": SOURCE,
            "root": str(self.root),
        }
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(writing, 1)
            os.environ |= {"PATH": f"{self.root / 'bin'}:{os.environ['PATH']}", "HOST": str(self.root)}
            if bytes_left >= 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))
            _run(request, effects)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return dict(json.loads(said)) if said else {}

    def settle(self) -> None:
        """What a host does by itself: its timers fire, and it is rebooted."""
        for name in self.timers:
            self.do("restore", name)
            (self.root / f"units/sparkfleet-guard-{name}.timer").unlink(missing_ok=True)
        self.do("restore")


def _run(request: dict[str, Any], effects: int | None) -> None:
    """The child: the script as it is sent, killed before its effect number `effects`; never returns."""
    left = effects

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        opens_to_write = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if left is not None and (event in EFFECTS or opens_to_write):
            left -= 1
            if left < 0:
                os._exit(KILLED)

    try:
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.addaudithook(on_event)
        exec(CODE, {"__name__": "__main__", "REQUEST": request})  # noqa: S102  (the script, as python runs it from stdin)
    except SystemExit:
        pass
    finally:
        sys.stdout.flush()
        os._exit(0)
