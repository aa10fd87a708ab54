"""Texts of the host → readings: the numbers come back, silence stays silent, and no text whatever is a crash."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.gb10.readings import boot, connectx, filesystem, firmware, kernel_log, memory, power, storage, system
from exporters.gb10.readings.handover import VALID_S, Handover, handover
from exporters.gb10.readings.text import number

PROC = Path(__file__).parent / "host/proc"
FILES = {"meminfo": "meminfo", "vmstat": "vmstat", "buddyinfo": "buddyinfo", "pressure": "pressure/memory"}

texts = st.text(max_size=200)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=20), part, max_size=4),
)
objects = st.dictionaries(st.text(max_size=20), anything, max_size=6)


def test_memory_of_a_fragmented_machine() -> None:
    """Blocks of 2 MiB and more by zone, stalls in seconds, and the counters of vmstat."""
    files = {name: (PROC / path).read_text() for name, path in FILES.items()}
    found = memory.memory(files, 4096)
    normal = {block.size_bytes >> 20: block.count for block in found.free_blocks if block.zone == "Normal"}
    assert normal == {2: 90, 4: 60, 8: 40, 16: 27, 32: 0}
    assert found.stall_seconds == {"some": 184.321, "full": 92.1125}
    assert (found.events["compact_stall"], found.events["compact_fail"]) == (2_700_000, 1_350_000)
    assert found.sizes["MemTotal"] == 127_600_748 * 1024
    assert not found.faults


@given(st.lists(st.integers(0, 10**9), min_size=10, max_size=16), st.sampled_from([4096, 16384, 65536]))
def test_the_size_of_a_block_follows_the_page_size(counts: list[int], page: int) -> None:
    """Column n holds blocks of 2^n pages, whatever a page is."""
    text = "Node 0, zone   Normal " + " ".join(f"{count:6}" for count in counts) + " \n"
    found = {block.size_bytes: block.count for block in memory.free_blocks(text, page)}
    assert found == {page * 2**order: count for order, count in enumerate(counts) if order >= 9}


@given(st.dictionaries(st.sampled_from([*FILES]), texts))
def test_memory_in_another_form_is_a_fault(files: dict[str, str]) -> None:
    """Each file that says something else is named; nothing is made up for it."""
    found = memory.memory(files, 4096)
    told = {"meminfo": found.sizes, "vmstat": found.events, "buddyinfo": found.free_blocks}
    told["pressure"] = found.stall_seconds
    assert len(found.faults) == sum(1 for name, text in files.items() if text.strip() and not told[name])


@given(st.integers(-(2**63), 2**64 - 1))
def test_a_number_comes_back(value: int) -> None:
    """With the newline that the kernel writes."""
    faults: list[str] = []
    assert number({"file": f"{value}\n"}, "file", faults) == value
    assert not faults


@pytest.mark.parametrize("text", ["N/A", "1.5", "0x10", "9" * 30, "9" * 5000, "\ufffd"])
def test_what_is_no_number_is_a_fault(text: str) -> None:
    """None, and the file is named."""
    faults: list[str] = []
    assert number({"file": text}, "file", faults) is None
    assert len(faults) == 1
    assert "file" in faults[0]


def test_rails_limits_and_energies_are_told_apart() -> None:
    """Watts of rails, the caps of limits (not their inputs), joules; no temperature, no unknown channel."""
    files = {"power1_label": "sys_total\n", "power1_input": "98000000\n", "power13_label": "syspl1\n"}
    files |= {"power13_input": "103000000\n", "power13_cap": "231000000\n", "power15_label": "budget_cpu\n"}
    files |= {"power15_input": "5\n", "energy1_label": "pkg\n", "energy1_input": "123456000000\n"}
    files |= {"temp1_label": "tj_max\n", "temp1_input": "3239\n", "prochot": "0\n", "pl_level": "1\n"}
    found = power.power(files)
    assert (found.watts, found.limit_watts, found.energy_joules) == (
        {"sys_total": 98},
        {"syspl1": 231},
        {"pkg": 123456},
    )
    assert (found.prochot, found.limit_level, found.faults) == (0, 1, ())


@given(st.dictionaries(st.from_regex(r"(power|energy)[1-3]_(label|input|cap)|prochot", fullmatch=True), texts))
def test_power_never_fails(files: dict[str, str]) -> None:
    """Any texts give numbers or nothing."""
    found = power.power(files)
    assert all(value >= 0 for value in (*found.watts.values(), *found.energy_joules.values()))


def twin(domain: int, *, state: str = "up", speed: str = "200000", function: str = "01:00.0") -> dict[str, str]:
    """The files of one ConnectX-7 network device."""
    uevent = f"DRIVER=mlx5_core\nPCI_ID=15B3:1021\nPCI_SLOT_NAME={domain:04x}:{function}\n"
    aer = {f"aer_dev_{name}": f"RxErr 0\nTOTAL_ERR_{name[:3].upper()} 2\n" for name in connectx.SEVERITIES}
    return {"uevent": uevent, "operstate": f"{state}\n", "speed": f"{speed}\n", "mtu": "9000\n", **aer}


@pytest.mark.parametrize(
    ("twins", "state"),
    [
        ([twin(0), twin(2)], "up"),
        ([twin(0), twin(2, state="down", speed="-1")], "degraded"),
        ([twin(0), twin(2, speed="100000")], "degraded"),
        ([twin(0, state="down"), twin(2, state="down")], "down"),
        ([twin(0)], "degraded"),
        ([twin(2, state="down")], "down"),
    ],
)
def test_a_pair_needs_both_twins_at_one_speed(twins: list[dict[str, str]], state: str) -> None:
    """On a GB10, where a twin that is gone is missing."""
    found = connectx.connectx({f"en{index}": files for index, files in enumerate(twins)}, is_gb10=True)
    assert found.pairs == {"01:00.0": state}


def test_an_ordinary_connectx_is_no_pair() -> None:
    """Elsewhere a card has one PCI domain; beside a real pair a lone device is one whose twin is gone."""
    assert connectx.connectx({"en0": twin(0)}, is_gb10=False).pairs == {}
    beside = {"en0": twin(0), "en1": twin(2), "en2": twin(0, function="01:00.1")}
    assert connectx.connectx(beside, is_gb10=False).pairs == {"01:00.0": "up", "01:00.1": "degraded"}


def test_a_port_without_a_link_has_no_speed() -> None:
    """-1 is the kernel's word for unknown; errors are counted all the same."""
    (port,) = connectx.connectx({"en0": twin(2, state="down", speed="-1")}, is_gb10=True).ports
    assert (port.device, port.up, port.speed_bytes_per_second, port.mtu_bytes) == ("0002:01:00.0", False, None, 9000)
    assert port.errors == {"correctable": 2, "nonfatal": 2, "fatal": 2}
    (port,) = connectx.connectx({"en0": twin(0)}, is_gb10=True).ports
    assert port.speed_bytes_per_second == 25e9


@given(
    st.dictionaries(texts, st.dictionaries(st.sampled_from([*twin(0), "carrier"]), texts), max_size=3), st.booleans()
)
def test_connectx_never_fails(netdevs: dict[str, dict[str, str]], is_gb10: bool) -> None:
    """Any texts give ports or faults."""
    found = connectx.connectx(netdevs, is_gb10=is_gb10)
    assert len(found.ports) + len(found.faults) >= len(netdevs)


def test_each_device_is_told_once_where_it_can_be_seen() -> None:
    """No bind mounts, no images, no memory, and nothing below a mount that covers it."""
    assert filesystem.mountpoints((PROC / "mounts").read_text()) == ["/", "/boot/efi", "/data sets"]


@given(texts)
def test_mounts_never_fail(text: str) -> None:
    """At most 16 absolute paths come out."""
    found = filesystem.mountpoints(text)
    assert len(found) <= 16
    assert all(point.startswith("/") for point in found)


@given(objects, st.dictionaries(st.sampled_from(["stat", "boot_id"]), texts))
def test_what_the_oneshot_says_never_crashes_a_reading(told: dict[str, Any], files: dict[str, str]) -> None:
    """Whatever JSON it is: each part is read or left out, and numbers are finite."""
    boot.boot(files, told)
    firmware.components(told | {"devices": list(told.values()), "updates": list(told)})
    log = kernel_log.kernel_log({"xid": told, "out_of_memory": told, "lost_records": told.get("")})
    assert all(math.isfinite(seen.count) for seen in log.xid.values())
    found = storage.drives({}, {"nvme0": told | {"temperature": next(iter(told.values()), None)}, **told})
    assert len(found) <= storage.DRIVES_MAX


@given(objects)
def test_the_oneshots_file_never_crashes_its_reading(data: dict[str, Any]) -> None:
    """Any JSON and any text: told, or one fault."""
    for text in (
        json.dumps(data),
        json.dumps(data)[:-1],
        json.dumps({"written_at": 1.7e9, "written_boottime": 5} | data),
    ):
        found = handover(text, 10.0)
        assert found.fault is not None or found.age_s == 5


def test_an_old_file_is_not_told() -> None:
    """Its age is; at five minutes the parts go. Without a file there is neither age nor fault."""
    text = json.dumps(
        {"written_at": 1.7e9, "written_boottime": 100.0, "nvme": {"nvme0": {}}, "errors": {"boot": "torn"}}
    )
    young, old = handover(text, 100.0 + VALID_S), handover(text, 100.1 + VALID_S)
    assert (young.part("nvme"), young.error("boot"), young.error("nvme")) == ({"nvme0": {}}, "torn", None)
    assert (old.part("nvme"), round(old.age_s or 0, 1)) == ({}, 300.1)
    assert "300 seconds old" in str(old.error("nvme"))
    assert handover("", 5.0) == Handover()


def test_a_drive_is_read_in_every_form_of_nvme_cli() -> None:
    """Kelvin, percent, 128-bit numbers as strings, the warning as an object with its bits."""
    log = {"temperature": 312, "percent_used": 7, "avail_spare": 100, "unsafe_shutdowns": "31", "media_errors": 0}
    (found,) = storage.drives({"nvme0": {"model": "A \n"}}, {"nvme0": log | {"critical_warning": {"value": 4, "x": 1}}})
    assert (found.model, found.percentage_used_ratio, found.available_spare_ratio) == ("A", 0.07, 1.0)
    assert (found.temperature_celsius, found.unsafe_shutdowns, found.critical_warning) == (38.85, 31, 4)
    (silent,) = storage.drives({"nvme0": {}}, {"nvme0": {"temperature": 0}})
    assert (silent.temperature_celsius, silent.media_errors) == (None, None)


def test_components_have_names_of_their_own() -> None:
    """Several devices share one; those that fwupd cannot update are left out."""
    device = {"Name": "UEFI Device Firmware", "Version": "1.0", "Flags": ["internal", "updatable"], "DeviceId": "a"}
    devices = [device, device | {"DeviceId": "b"}, device | {"Name": "CPU", "Flags": ["internal"]}]
    found = firmware.components({"devices": devices, "updates": ["b"]})
    assert [(each.name, each.update_available) for each in found] == [
        ("UEFI Device Firmware", False),
        ("UEFI Device Firmware 2", True),
    ]


def test_the_last_update_over_the_air_counts() -> None:
    """/etc/dgx-release grows with every update; what is not known has no label."""
    release = 'DGX_SWBUILD_VERSION="7.2.3"\n\nDGX_OTA_VERSION="7.4.0"\nDGX_OTA_DATE="x"\n\nDGX_OTA_VERSION="7.5.0"\n'
    assert system.system({"dgx-release": release, "osrelease": "6.17.0\n"}) == {"ota": "7.5.0", "kernel": "6.17.0"}
    assert system.driver("580.159.03\n", None) == {"loaded": "580.159.03"}


@given(texts, texts, anything)
def test_system_never_fails(release: str, kernel: str, installed: object) -> None:
    """Any texts give labels that are not empty."""
    found = system.system({"os-release": release, "dgx-release": release, "osrelease": kernel})
    assert all({**found, **system.driver(kernel, installed)}.values())
