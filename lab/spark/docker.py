"""A stand-in with the role label → podman behind Docker's words, docker.service, and small images of the loop's jobs.

Images are empty but for their folders: a container sees the stand-in's own /usr and /opt, read-only, and runs the very
program and environment of the host. What is real: podman, runc, the words of compose.yaml, the bounds of a container.
Simulated: Docker, and the GPU's devices.
"""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab import errors, shell
from lab.imaging import composing, engine
from lab.progress import silent
from lab.spark import machine

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.progress import Step

PLACE = Path("/srv/engine")  # on the stand-in
REGISTRY = "registry.example/loop"
PROGRAM = f"""\
#!/opt/sparkfleet/label/bin/python -I
import os, sys
sys.path.insert(0, "{PLACE}")
from lab.imaging import composing
words = sys.argv[1:]
if words[:1] == ["compose"]:
    after = lambda option: words[words.index(option) + 1]
    lines = [line.rstrip("\\n").partition("=")[::2] for line in open(after("--env-file")) if not line.startswith("#")]
    seen = ["--volume=/usr:/usr:ro", "--volume=/opt:/opt:ro"]
    given = {{**dict(lines), **os.environ}}
    words = composing.run(open(after("--file")).read(), words[-1], given, "--rm", "--name", after("--name"), *seen)
os.execv("{PLACE}/bin/podman", ["podman", *words])
"""
# A stand-in's control groups are read-only; the kernel's own are the outer machine's, where the lab's podman is, too.
UNIT = """\
[Service]
ExecStartPre=/bin/sh -c 'for each in /sys/fs/cgroup /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$each"; done'
ExecStart=/usr/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""
FOLDERS = (
    "usr", "opt", "etc/sparkfleet", "proc", "sys", "dev", "tmp", "project", "run/secrets",
    "var/lib/sparkfleet/label", "var/lib/sparkfleet/datasets", "var/lib/sparkfleet/models",
)  # fmt: skip
IMAGES = {
    "job": (
        'ENTRYPOINT ["/opt/sparkfleet/label/bin/python", "-m", "workloads"]',
        "ENV PYTHONPATH=/usr/local/lib/sparkfleet/spark-node.pyz",
        "ENV HOME=/tmp",
    ),
    "server": ('ENTRYPOINT ["/usr/bin/sleep", "infinity"]', "STOPSIGNAL SIGKILL"),  # it only lasts
}


def install(instance: Instance, host: str, step: Step = silent) -> dict[str, str]:
    """Put all of it there and start the unit; returns the images' names with their digests."""
    root, unpacked = machine.tree(instance, host), engine.unpacked(step)
    place = root / PLACE.relative_to("/")
    shutil.copytree(unpacked, place / "root", symlinks=True)
    for path, (text, mode) in engine.settings(place, unpacked).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        # A stand-in's disk is an overlay, which podman lays no other one over.
        inside = text.replace(str(unpacked), f"{PLACE}/root").replace(str(place), str(PLACE))
        inside = inside.replace('driver = "overlay"', 'driver = "vfs"')
        path.write_text(inside.replace("[containers]\n", "[containers]\nkeyring = false\n"))  # nspawn forbids keys
        path.chmod(mode)
    for part in ("run", "temporary"):
        (place / part).mkdir(exist_ok=True)
    for module in (errors, composing):
        file = place / f"{module.__name__.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(inspect.getsource(module))
    program = root / "usr/bin/docker"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (root / "etc/systemd/system/docker.service").write_text(UNIT)
    return _images(instance, host, place)


def _images(instance: Instance, host: str, place: Path) -> dict[str, str]:
    """Made on the stand-in: name → name with digest."""
    tree = place / "image"
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (tree / name).unlink(missing_ok=True)
        (tree / name).symlink_to(f"usr/{name}")
    inside = ["nsenter", "--all", f"--target={machine.first_process(instance, host)}", "env", "HOME=/root"]
    shell.run(*inside, "systemctl", "daemon-reload")
    shell.run(*inside, "systemctl", "start", "docker.service")
    shell.run(*inside, "tar", "-C", PLACE / "image", "-cf", PLACE / "image.tar", ".")
    podman, found = PLACE / "bin/podman", {}
    for name, lines in IMAGES.items():
        changes = [word for line in lines for word in ("--change", line)]
        shell.run(*inside, podman, "import", *changes, PLACE / "image.tar", f"{REGISTRY}/{name}:1")
        told = shell.run(*inside, podman, "images", "--format", "{{.Digest}}", f"{REGISTRY}/{name}:1")
        found[name] = f"{REGISTRY}/{name}@{told.strip()}"
    return found
