"""A real stand-in: what the factory left on it, how it is reached, what power does to it. All of it simulated."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab import gb10, record, spark
from lab.errors import LabError
from lab.spark import factory
from tests.lab import speaking
from tests.lab.speaking import password

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.instance import Instance

    Say = Callable[..., str]

pytestmark = pytest.mark.lab

# Names of this file's own: other tests adopt and change the first ones.
CLASSIC, SECOND, SOCKET = "spark-81", "spark-82", "spark-83"

KERNEL = """
set -e
nft -f - <<'END'
table inet tried {
  chain in { type nat hook prerouting priority dstnat; fib daddr type local tcp dport 8080 dnat ip to 172.30.0.2:80; }
  chain out { type nat hook postrouting priority srcnat; oifname "br-*" masquerade; }
  chain through { type filter hook forward priority -5; ct state new ct status dnat counter; }
}
END
nft delete table inet tried
ip rule add fwmark 7 lookup 77 && ip rule delete fwmark 7
ip tuntap add dev tried mode tun && ip link delete tried
ip link add tried type bridge && ip link delete tried
echo taken
"""


@pytest.fixture(scope="module")
def stand_ins(lab_instance: Instance) -> Instance:
    """Two classic ones and one with ssh.socket and NetworkManager, fresh from the factory."""
    spark.boot(lab_instance, [CLASSIC, SECOND])
    spark.boot(lab_instance, [SOCKET], "socket")
    return lab_instance


@pytest.fixture
def say(stand_ins: Instance) -> Say:
    """Run a line on a host as the set-up user."""
    return partial(speaking.say, stand_ins)


def test_the_set_up_user_has_sudo_but_only_with_the_password(stand_ins: Instance, say: Say) -> None:
    """As on a Spark after its first-boot wizard."""
    assert say(CLASSIC, "sudo -n true && echo without") == ""
    assert say(CLASSIC, "sudo -S -p '' id -u", stdin=password(stand_ins) + "\n") == "0"


def test_the_vendor_left_a_key_behind_and_root_has_none(say: Say, stand_ins: Instance) -> None:
    """Adoption has to decide about the first; the second keeps root out."""
    assert say(CLASSIC, "cut -d' ' -f3 ~/.ssh/authorized_keys") == "factory@vendor.example"
    assert not (spark.tree(stand_ins, CLASSIC) / "root/.ssh/authorized_keys").exists()


def test_every_stand_in_has_host_keys_and_a_machine_id_of_its_own(stand_ins: Instance) -> None:
    """And the fingerprint can be read as from the console."""
    trees = [spark.tree(stand_ins, host) for host in (CLASSIC, SECOND, SOCKET)]
    assert len({factory.fingerprint(tree) for tree in trees}) == 3
    assert all(factory.fingerprint(tree).startswith("SHA256:") for tree in trees)
    assert len({(tree / "etc/machine-id").read_text() for tree in trees}) == 3


def test_it_calls_itself_a_simulated_dgx_spark(say: Say) -> None:
    """The identity files have the real keys and an honest label."""
    released = say(CLASSIC, "cat /etc/dgx-release /etc/fastos-release")
    assert 'DGX_NAME="DGX Spark"' in released
    assert 'NAME="DGX SPARK FASTOS"' in released
    assert 'DGX_VARIANT="simulated"' in released
    assert f'DGX_SERIAL_NUMBER="simulated-{CLASSIC}"' in released


def test_it_boots_without_a_failed_unit(say: Say) -> None:
    """So that a failed unit later is the fault of what was done to it."""
    assert say(CLASSIC, "systemctl is-system-running --wait") == "running"
    assert say(SOCKET, "systemctl is-system-running --wait") == "running"


def test_what_the_roles_install_is_there_already_and_uninstalled(say: Say) -> None:
    """Apt would take every file of it from its own archive, and knows this machine's mirror."""
    shown = say(
        CLASSIC, "apt-get --yes --no-install-recommends --print-uris install prometheus prometheus-alertmanager"
    )
    assert "prometheus-alertmanager" in shown
    assert "'http" not in shown
    assert say(CLASSIC, "dpkg-query -W -f '${Status}' prometheus 2>/dev/null || echo absent") == "absent"


def test_it_has_a_way_out_through_this_machine(say: Say, stand_ins: Instance) -> None:
    """A role that needs a package which is not downloaded yet gets it, as on a real host."""
    shown = say(CLASSIC, "sudo -S -p '' apt-get update 2>&1 && echo updated", stdin=password(stand_ins) + "\n")
    assert shown.endswith("updated")


def test_the_simulated_gb10_answers_and_changes_its_scenario_while_running(say: Say, stand_ins: Instance) -> None:
    """nvidia-smi goes through the library that every reader of NVML gets."""
    question = "nvidia-smi --query-gpu=name,temperature.gpu --format=csv,noheader"
    name, cool = say(CLASSIC, question).split(", ")
    assert "GB10" in name
    gb10.load(spark.tree(stand_ins, CLASSIC), "stress")
    assert int(say(CLASSIC, question).split(", ")[1]) > int(cool)
    zone = "/var/lib/gb10/sys/class/thermal/thermal_zone0/temp"
    assert int(say(CLASSIC, f"cat {zone}")) > 60_000
    assert "simulated" in say(CLASSIC, "nvidia-smi").lower()


def test_power_off_and_on_keeps_what_was_written(say: Say, stand_ins: Instance) -> None:
    """And the identity: a controller that knows the host key knows it again."""
    before = factory.fingerprint(spark.tree(stand_ins, SECOND))
    say(SECOND, "echo kept > ~/note; sync")
    spark.halt(stand_ins, SECOND)
    assert not spark.running(stand_ins, SECOND)
    with pytest.raises(LabError, match="is off"):
        spark.tree(stand_ins, SECOND)
    spark.boot(stand_ins, [SECOND])
    assert say(SECOND, "cat ~/note") == "kept"
    assert factory.fingerprint(spark.tree(stand_ins, SECOND)) == before


def test_booting_what_runs_changes_nothing(stand_ins: Instance) -> None:
    """The same process goes on."""
    before = record.alive(stand_ins, CLASSIC)
    spark.boot(stand_ins, [CLASSIC])
    assert record.alive(stand_ins, CLASSIC) == before


@pytest.mark.parametrize(
    ("host", "active", "inactive"),
    [
        (CLASSIC, "ssh.service systemd-networkd.service", "ssh.socket NetworkManager.service"),
        (SOCKET, "ssh.socket NetworkManager.service", "systemd-networkd.service"),
    ],
)
def test_the_variants_differ_in_who_listens_and_who_holds_the_network(
    say: Say, host: str, active: str, inactive: str
) -> None:
    """Classic is Debian's way; socket is that of Ubuntu 24.04, and so of DGX OS."""
    assert set(say(host, f"systemctl is-active {active}").split()) == {"active"}
    assert set(say(host, f"systemctl is-active {inactive}").split()) == {"inactive"}
    enabled = say(host, "systemctl is-enabled ssh.service ssh.socket; true").split()
    assert enabled == (["enabled", "disabled"] if host == CLASSIC else ["disabled", "enabled"])


@pytest.mark.parametrize("host", [CLASSIC, SOCKET])
def test_it_is_reached_by_ipv6_too(host: str, stand_ins: Instance) -> None:
    """What closes a host has to close both; whoever tests that needs a way that was open before."""
    with socket.create_connection((stand_ins.address6(host), 22), 5) as connection:
        assert connection.recv(4) == b"SSH-"


def test_its_kernel_takes_what_containers_and_a_tailnet_need(stand_ins: Instance) -> None:
    """NAT of published ports in both notations, a tunnel device, a rule for routing."""
    said = speaking.as_root(stand_ins, CLASSIC, KERNEL)
    assert said == "taken"
