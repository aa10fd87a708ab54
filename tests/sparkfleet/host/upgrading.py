"""What a host may tell before an upgrade, as values to bend: a look, GRUB's files, a tree of /boot and modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparkfleet.host import upgrade_script
from sparkfleet.host.upgrade_look import Look

OLD, NEW = "6.17.0-1029-nvidia", "7.0.0-1019-nvidia"
OLD_DRIVER, NEW_DRIVER = "580.173.02", "580.178.04"
# As grub-mkconfig 2.12 of Ubuntu 24.04 writes it, shortened: the first entry, then all of them in a submenu.
HEAD = """\
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="%s"
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
"""
ENTRY = """\
menuentry '%(title)s' --class ubuntu --class gnu-linux $menuentry_id_option '%(id)s' {
  recordfail
  load_video
  if [ x$feature_platform_search_hint = xy ]; then
    search --no-floppy --fs-uuid --set=root 0a1b
  else
    search --no-floppy --fs-uuid --set=root 0a1b
  fi
  linux   /boot/vmlinuz-%(kernel)s root=UUID=0a1b ro init_on_alloc=0 %(words)s
  initrd  /boot/initrd.img-%(kernel)s
}
"""


def grub_cfg(*kernels: str, default: str = "0", words: str = "kho=off") -> str:
    """The menu of these kernels, the first one also on top."""

    def entry(title: str, id_: str, kernel: str) -> str:
        return ENTRY % {"title": title, "id": id_, "kernel": kernel, "words": words}

    inner = "".join(entry(f"Ubuntu, with Linux {k}", f"gnulinux-{k}-advanced-0a1b", k) for k in kernels)
    submenu = "submenu 'Advanced options for Ubuntu' $menuentry_id_option 'gnulinux-advanced-0a1b' {\n" + inner + "}\n"
    return HEAD % default + entry("Ubuntu", "gnulinux-simple-0a1b", kernels[0]) + submenu


def tree(root: Path, *kernels: str, driver: str = NEW_DRIVER, **menu: str) -> Path:
    """A simulated file system with these kernels, each whole and with the driver's module."""
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/grub/grub.cfg").write_text(grub_cfg(*kernels, **menu))
    for kernel in kernels:
        (root / f"boot/vmlinuz-{kernel}").write_text("kernel")
        (root / f"boot/initrd.img-{kernel}").write_text("initramfs")
        modules = root / "lib/modules" / kernel / "kernel/nvidia-580-open"
        modules.mkdir(parents=True)
        (modules / "nvidia.ko.zst").write_text(driver)
        (root / "lib/modules" / kernel / "modules.dep").write_text("")
    return root


def modinfo(*command: str, **_: float) -> tuple[int, str]:
    """Simulated: a module of `tree` holds its version as text."""
    assert command[:3] == ("/usr/sbin/modinfo", "-F", "version")
    text = Path(command[3]).read_text()
    return (0, f"{text}\n") if text else (1, "modinfo: ERROR")


def look(boot: dict[str, Any] | None = None, **changes: Any) -> Look:
    """A sound DGX Spark on last month's kernel with this month's packages installed."""
    told: dict[str, Any] = {
        "boot_id": "0a1b2c3d-0000-4000-8000-000000000001",
        "kernel": OLD,
        "container": False,
        "free_bytes": {"/": 500 << 30, "/boot": 1 << 30, "/var": 500 << 30},
        "dpkg_audit": "",
        "locks": [],
        "inhibitors": [],
        "reboot_required": True,
        "holds": [],
        "failed": [],
        "units": {},
        "gpu_processes": [],
        "gpu": "10de:2e12",
        "cmdline": "root=UUID=0a1b ro",
        "driver_loaded": OLD_DRIVER,
        "driver_flavour": "open",
        "driver_packages": [f"{NEW_DRIVER}-0ubuntu0.24.04.1"],
        "dgx_os": "7.6.0",
        "watchdog": True,
        "ota": None,
        "boot": boot or {"grub_cfg": "", "grubenv": "", "images": {}, "kernels": {}},
    }
    return Look.of({**told, **changes})


def look_at(root: Path, **changes: Any) -> Look:
    """The same with what upgrade_script finds in a tree."""
    return look(upgrade_script.boot(str(root)), **changes)
