"""The built programs → the package `tailscale` as its vendor lays it out, in an apt source inside a stand-in.

Unit, settings and maintainer scripts are the vendor's own, from the sources that the programs were built from. So a
role that installs the vendor's package on a real Spark meets the same files here.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from lab import cache, shell, toolchain
from lab.spark import base

SOURCE = Path("usr/local/share/lab-packages")  # in the stand-in
LIST = Path("etc/apt/sources.list.d/lab.list")
# Ours, as the vendor's FLAGS belong to the role: the programs must not look for the vendor's log server here.
DROP_IN = "[Service]\nEnvironment=TS_NO_LOGS_NO_SUPPORT=true\n"
SCRIPTS = ("postinst", "postrm", "prerm")
CONTROL = """\
Package: tailscale
Version: {version}
Architecture: {architecture}
Section: net
Priority: extra
Maintainer: sparkfleet's lab <lab@sparkfleet.invalid>
Depends: iptables
Description: Tailscale, built by sparkfleet's lab
 Programs from the pinned Go module; unit, settings and scripts are the vendor's.
"""


def ensure(tailscaled: Path, tailscale: Path) -> Path:
    """The folder with the package and its index, made first when the programs or this file changed."""
    key = cache.digest(str(tailscaled), str(tailscale), Path(__file__).read_bytes())

    def build(out: Path) -> None:
        tree = out / "tree"
        _fill(tree, tailscaled, tailscale)
        # The quickest compression: the package is unpacked more often than anybody stores it.
        shell.run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, out / "tailscale.deb")
        control = (tree / "DEBIAN/control").read_text()
        data = (out / "tailscale.deb").read_bytes()
        checked = f"Filename: ./tailscale.deb\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        (out / "Packages").write_text(control + checked)
        shutil.rmtree(tree)

    return cache.once(f"tailscale-deb-{key}", build)


def offer(root: Path, source: Path) -> None:
    """Add the source to the apt of the tree at `root`, and read its index; nothing else of its lists changes."""
    target = root / SOURCE
    target.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        shutil.copyfile(file, target / file.name)
    (root / LIST).write_text(f"deb [trusted=yes] file:/{SOURCE} ./\n")
    only = ["-o", f"Dir::Etc::sourcelist=/{LIST}", "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Get::List-Cleanup=0"]
    base.inside(root, "apt-get", "update", "--quiet", *only)


def _fill(tree: Path, tailscaled: Path, tailscale: Path) -> None:
    """The files of the package."""
    vendor = toolchain.source("tailscaled")
    programs = {"usr/sbin/tailscaled": tailscaled, "usr/bin/tailscale": tailscale}
    files = {
        "etc/default/tailscaled": vendor / "cmd/tailscaled/tailscaled.defaults",
        "lib/systemd/system/tailscaled.service": vendor / "cmd/tailscaled/tailscaled.service",
    }
    scripts = {f"DEBIAN/{name}": vendor / f"release/deb/debian.{name}.sh" for name in SCRIPTS}
    for mode, group in ((0o755, programs), (0o644, files), (0o755, scripts)):
        for name, origin in group.items():
            (tree / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copyfile(origin, tree / name)
            (tree / name).chmod(mode)
    drop_in = tree / "lib/systemd/system/tailscaled.service.d/lab.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(DROP_IN)
    architecture = shell.run("dpkg", "--print-architecture").strip()
    version = toolchain.version("tailscaled").removeprefix("v")
    (tree / "DEBIAN/conffiles").write_text("/etc/default/tailscaled\n")
    (tree / "DEBIAN/control").write_text(CONTROL.format(version=version, architecture=architecture))
