"""A stand-in → one with last month's kernel and driver packages, and this month's in its own apt source. Simulated.

    outdate(root)     packages under NVIDIA's names whose kernels boot nothing: files in /boot and /lib/modules, a
                      grub.cfg, modules that hold a version and no code; and a labelled nvidia-spark-ota-check

A container boots no kernel, so its GRUB is never asked; what is checked before a reboot is there all the same.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from lab import cache, shell
from lab.spark import base

SOURCE = Path("usr/local/share/lab-upgrade")  # in the stand-in
LIST = Path("etc/apt/sources.list.d/lab-upgrade.list")
OLD_KERNEL, NEW_KERNEL = "6.17.0-1029-nvidia", "7.0.0-1019-nvidia"  # of DGX OS 7.5.0 and 7.6.0
OLD_DRIVER, NEW_DRIVER = "580.173.02", "580.178.04"
KERNELS, MODULES = "linux-nvidia-hwe-24.04", "linux-modules-nvidia-580-open-nvidia-hwe-24.04"
DRIVER, KHO = "libnvidia-compute-580", "nvidia-spark-grub-kho"
UPDATE_GRUB = """\
#!/bin/sh
# Simulated by the sparkfleet lab: the newest kernel first, as grub-mkconfig writes it.
set -e
mkdir -p /boot/grub
words=$(cat /etc/default/grub.d/*.cfg 2>/dev/null | sed -n 's/^WORDS=//p' | tr '\\n' ' ')
{
    echo 'if [ "${next_entry}" ] ; then'
    echo '  set default="${next_entry}"'
    echo 'else'
    echo '  set default="0"'
    echo 'fi'
    for image in $(ls /boot | grep '^vmlinuz-' | sort -rV); do
        release=${image#vmlinuz-}
        echo "menuentry 'Ubuntu, with Linux $release' \\$menuentry_id_option 'gnulinux-$release-advanced' {"
        echo "	linux /boot/$image root=/dev/nvme0n1p2 ro init_on_alloc=0 $words"
        echo "	initrd /boot/initrd.img-$release"
        echo '}'
    done
} > /boot/grub/grub.cfg.new
mv /boot/grub/grub.cfg.new /boot/grub/grub.cfg
touch /run/reboot-required
"""
OTA_CHECK = """\
#!/bin/sh
# SIMULATED by the sparkfleet lab, in the form of NVIDIA's fleet tools: {ok, data, errors, meta}.
[ "$1" = summary ] || { echo "simulated: only summary" >&2; exit 2; }
echo '{"ok": true, "data": {"torn": false}, "errors": [], "meta": {"simulated": true}}'
"""


class Deb(NamedTuple):
    """One package: its files by path, and what its postinst does."""

    name: str
    version: str
    depends: str = ""
    files: dict[str, str | bytes] = {}  # noqa: RUF012  (never changed)
    postinst: str = ""


def outdate(root: Path) -> None:
    """Install the old packages in the tree at `root` and offer the new ones to its apt; safe on a running stand-in."""
    made = ensure()
    target = root / SOURCE
    target.mkdir(parents=True, exist_ok=True)
    for file in made.iterdir():
        shutil.copyfile(file, target / file.name)
    (root / LIST).write_text(f"deb [trusted=yes] file:/{SOURCE} ./\n")
    check = root / "usr/bin/nvidia-spark-ota-check"
    check.write_text(OTA_CHECK)
    check.chmod(0o755)
    base.inside(root, "dpkg", "--install", *(f"/{SOURCE / name(deb)}" for deb in old()))


def old() -> list[Deb]:
    """What is installed, in an order that dpkg can install."""
    return [grub(), *kernel(OLD_KERNEL), *modules(OLD_KERNEL, OLD_DRIVER), *metas("1.0", OLD_KERNEL, OLD_DRIVER)]


def new() -> list[Deb]:
    """What is offered."""
    kho = Deb(KHO, "1.0", files={"etc/default/grub.d/kho.cfg": "WORDS=kho=off\n"}, postinst="update-grub")
    return [kho, *kernel(NEW_KERNEL), *modules(NEW_KERNEL, NEW_DRIVER), *metas("2.0", NEW_KERNEL, NEW_DRIVER, KHO)]


def grub() -> Deb:
    """The simulated update-grub."""
    return Deb("lab-grub", "1.0", files={"usr/sbin/update-grub": UPDATE_GRUB})


def kernel(release: str) -> list[Deb]:
    """A kernel that boots nothing."""
    files: dict[str, str | bytes] = {
        f"boot/vmlinuz-{release}": "simulated kernel\n",
        f"boot/initrd.img-{release}": "simulated initramfs\n",
        f"lib/modules/{release}/modules.dep": "",
    }
    return [Deb(f"linux-image-{release}", "1.0", "lab-grub", files, "update-grub")]


def modules(release: str, driver: str) -> list[Deb]:
    """The driver's module for that kernel."""
    files: dict[str, str | bytes] = {f"lib/modules/{release}/kernel/nvidia-580-open/nvidia.ko": module(driver)}
    return [Deb(f"linux-modules-nvidia-580-open-{release}", "1.0", f"linux-image-{release}", files)]


def metas(version: str, release: str, driver: str, more: str = "") -> list[Deb]:
    """What moves a host from kernel to kernel, and the driver's user space."""
    image, module_package = f"linux-image-{release}", f"linux-modules-nvidia-580-open-{release}"
    return [
        Deb(KERNELS, version, ", ".join(filter(None, [image, more]))),
        Deb(MODULES, version, module_package),
        Deb(DRIVER, f"{driver}-0ubuntu0.24.04.1"),
    ]


def module(version: str) -> bytes:
    """An object file with a version and without code: all that modinfo reads."""
    text = f'const char version[] __attribute__((section(".modinfo"), used)) = "version={version}";\n'
    with tempfile.NamedTemporaryFile(suffix=".o") as made:
        shell.run("cc", "-x", "c", "-c", "-o", made.name, "-", stdin=text)
        return Path(made.name).read_bytes()


def ensure() -> Path:
    """The folder with both generations and their index, made first when this file changed."""

    def build(out: Path) -> None:
        rows = []
        for deb in {name(one): one for one in (*old(), *new())}.values():
            control = _pack(deb, out)
            data = (out / name(deb)).read_bytes()
            digest = hashlib.sha256(data).hexdigest()
            rows.append(f"{control}Filename: ./{name(deb)}\nSize: {len(data)}\nSHA256: {digest}\n")
        (out / "Packages").write_text("\n".join(rows))

    return cache.once(f"upgrade-debs-{cache.digest(Path(__file__).read_bytes())}", build)


def name(deb: Deb) -> str:
    """The package's file."""
    return f"{deb.name}_{deb.version}.deb"


def _pack(deb: Deb, out: Path) -> str:
    """Make the package; returns its control paragraph."""
    tree = out / "tree"
    for path, content in deb.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content.encode() if isinstance(content, str) else content)
        (tree / path).chmod(0o755 if "/sbin/" in path else 0o644)
    (tree / "DEBIAN").mkdir(parents=True)
    depends = f"Depends: {deb.depends}\n" if deb.depends else ""
    control = (
        f"Package: {deb.name}\nVersion: {deb.version}\nArchitecture: all\nMaintainer: lab <lab@sparkfleet.invalid>\n"
        f"{depends}Description: simulated by the sparkfleet lab\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    if deb.postinst:
        (tree / "DEBIAN/postinst").write_text(f"#!/bin/sh\nset -e\n{deb.postinst}\n")
        (tree / "DEBIAN/postinst").chmod(0o755)
    shell.run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, out / name(deb))
    shutil.rmtree(tree)
    return control
