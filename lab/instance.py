"""The name of a lab → its addresses, its folder and the names of what it makes on this machine.

Several labs can run side by side, each on a network of its own. Everything the kernel holds for one (bridge,
nftables table, mounts below the folder) is found again by the names given here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
# `make up` makes the first; the others belong to tests, benchmark and drills, so that they can run beside it.
OCTETS = {"lab": 0, "test": 1, "bench": 2, "drill": 3, "crash": 4, "e2e": 5, "label": 6}
BRIDGE, TABLE = "sf-", "sparkfleet_lab_"  # followed by the lab's name
FIRST_SPARK = 10  # spark-01 ends in .11
MOST_SPARKS = 90
S3_PORT, IAM_PORT = 7070, 7071
CONTROL_PORT = 31544  # of the tailnet's control server
CONTROLLER = 2  # the last part of the address of the namespace through which this machine reaches the tailnet


@dataclass(frozen=True)
class Instance:
    """One lab: `name` (at most 12 letters: a bridge's name has 15), `octet` of its network, `root` of its checkout."""

    name: str
    octet: int
    root: Path = CHECKOUT

    @classmethod
    def named(cls, name: str, root: Path = CHECKOUT) -> Instance:
        """The lab of that name; raises LabError when there is none."""
        if name not in OCTETS:
            raise LabError(f"no lab is called {name!r}", next_step=f"choose one of {', '.join(OCTETS)}")
        return cls(name, OCTETS[name], root)

    @property
    def folder(self) -> Path:
        """All files of the lab; removed by `down`."""
        return self.root / ".lab" / self.name

    @property
    def secrets(self) -> Path:
        """What nobody else may read: 0700."""
        return self.folder / "secrets"

    @property
    def bridge(self) -> str:
        """The network interface that the stand-ins hang on."""
        return BRIDGE + self.name

    @property
    def table(self) -> str:
        """Our nftables table: masquerade for the stand-ins."""
        return TABLE + self.name

    @property
    def network(self) -> str:
        """The network in CIDR form."""
        return f"10.231.{self.octet}.0/24"

    @property
    def gateway(self) -> str:
        """This machine's address on the bridge."""
        return f"10.231.{self.octet}.1"

    @property
    def network6(self) -> str:
        """The same network's IPv6 side: unique local addresses, without a way out."""
        return f"fd31:0:0:{self.octet}::/64"

    @property
    def gateway6(self) -> str:
        """This machine's IPv6 address on the bridge."""
        return f"fd31:0:0:{self.octet}::1"

    @property
    def tailnet(self) -> str:
        """The addresses of this lab's own tailnet: a part of what Tailscale gives out (100.64.0.0/10)."""
        return f"100.{64 + self.octet}.0.0/16"

    @property
    def tailnet6(self) -> str:
        """Their IPv6 side, as Tailscale derives it (tsaddr.Tailscale4To6)."""
        return f"fd7a:115c:a1e0:ab12:4843:cd96:62{64 + self.octet:02x}:0/112"

    @property
    def login_server(self) -> str:
        """The tailnet's control server."""
        return f"http://{self.gateway}:{CONTROL_PORT}"

    @property
    def controller(self) -> str:
        """The address on the bridge through which this machine reaches the tailnet."""
        return f"10.231.{self.octet}.{CONTROLLER}"

    @property
    def controller6(self) -> str:
        """The same in IPv6."""
        return f"fd31:0:0:{self.octet}::{CONTROLLER}"

    @property
    def endpoint(self) -> str:
        """The S3 API."""
        return f"http://{self.gateway}:{S3_PORT}"

    @property
    def iam_endpoint(self) -> str:
        """The IAM API."""
        return f"http://{self.gateway}:{IAM_PORT}"

    def address(self, host: str) -> str:
        """The address of `spark-01` and so on."""
        return f"10.231.{self.octet}.{FIRST_SPARK + number(host)}"

    def address6(self, host: str) -> str:
        """Its IPv6 address; the last part reads as that of its IPv4 address."""
        return f"fd31:0:0:{self.octet}::{FIRST_SPARK + number(host)}"

    def tailnet_address(self, host: str) -> str:
        """The address it gets in the lab's tailnet when it joins."""
        return f"100.{64 + self.octet}.0.{FIRST_SPARK + number(host)}"

    def host(self, host: str) -> Path:
        """The folder of one stand-in: upper, work, root, console.log."""
        return self.folder / "hosts" / host


def number(host: str) -> int:
    """spark-03 → 3; raises LabError for anything else."""
    prefix, _, digits = host.partition("-")
    if prefix != "spark" or len(digits) != len("01") or not digits.isdigit() or not 1 <= int(digits) <= MOST_SPARKS:
        raise LabError(f"{host!r} is not the name of a stand-in", next_step="use spark-01, spark-02, …")
    return int(digits)


def host_names(count: int) -> list[str]:
    """2 → spark-01, spark-02."""
    if not 1 <= count <= MOST_SPARKS:
        raise LabError(f"cannot boot {count} stand-ins", next_step=f"choose between 1 and {MOST_SPARKS}")
    return [f"spark-{n:02d}" for n in range(1, count + 1)]
