"""A raw description → what is wrong where two of its places meet, each fault with the path to mend.

Works on unchecked data, so that these faults show together with those of single values: every step looks before it
reads.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from sparkfleet.authority_checks import authority_faults
from sparkfleet.cloud_checks import cloud_faults
from sparkfleet.fitness.gpu import CUDA_OF_BRANCH, CUDA_VERSION
from sparkfleet.fitness.sharing import PORTS
from sparkfleet.model import Role
from sparkfleet.session_checks import session_faults
from sparkfleet.tailnet_checks import in_tailnet, policy_faults

if TYPE_CHECKING:
    from collections.abc import Mapping


def cross_faults(raw: Mapping[str, Any]) -> list[str]:
    """Every such fault, in no order: `cloud.aws: missing; provider aws needs this section`."""
    hosts = _map(raw.get("hosts"))
    single = [*_names(raw, hosts), *cloud_faults(raw, hosts), *_evaluator(raw), *_node(raw, hosts)]
    single += [*_toolkit(_map(raw.get("gpu"))), *_ollama(_map(raw.get("ollama"))), *_datasets(raw, hosts)]
    single += [*_label(raw, hosts), *authority_faults(raw, hosts), *session_faults(raw, hosts)]
    return [
        *single,
        *_addresses(hosts),
        *_connectx(hosts),
        *_containers(_map(raw.get("containers"))),
        *_grafana(raw, hosts),
        *_tailnet(raw, hosts),
    ]


def _names(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Hosts and users that are named in one place and described, or reserved, in another."""
    user = _map(raw.get("controller")).get("user", "sparkfleet")
    faults = []
    for check, waiver in _map(raw.get("waivers")).items():
        unknown = [name for name in _list(_map(waiver).get("hosts")) if name not in hosts]
        faults += [f"waivers.{check}.hosts: {name}: no such host" for name in unknown]
    ringed = [(ring, name) for ring in ("canary", "wave") for name in _list(_map(raw.get("upgrade")).get(ring))]
    faults += [f"upgrade.{ring}: {name}: no such host" for ring, name in ringed if name not in hosts]
    twice = sorted({name for _, name in ringed if [other for _, other in ringed].count(name) > 1})
    faults += [f"upgrade.wave: {name}: stands in the rings twice" for name in twice]
    access = _map(raw.get("access"))
    people, console = list(_map(access.get("users"))), _map(access.get("console")).get("user", "console")
    if user in people:
        faults.append(f"access.users.{user}: is the automation user; give people names of their own")
    if access.get("console") and console in people:
        faults.append(f"access.console.user: {console} is described in access.users; the console's account has no keys")
    if access.get("console") and console == user:
        faults.append(f"access.console.user: {console} is the automation user; sshd refuses the console's account")
    return faults


def _addresses(hosts: Mapping[str, Any]) -> list[str]:
    """One address for one host; and an exporter is scraped from an address that its firewall lets in."""
    faults = []
    owner: dict[str, str] = {}
    for name, host in hosts.items():
        for address in _list(_map(host).get("addresses")):
            if owner.setdefault(address, name) != name:
                faults.append(f"hosts.{name}.addresses: {address} is also an address of {owner[address]}")
        if Role.MONITOR in _roles(host) and not _versions(host):
            faults.append(f"hosts.{name}.addresses: a monitor host needs an IP address, the firewall lets it scrape")
    monitors = {name: _versions(host) for name, host in hosts.items() if Role.MONITOR in _roles(host)}
    for name, host in hosts.items():
        first = _version(next(iter(_list(_map(host).get("addresses"))), ""))
        if not {Role.EXPORTER, Role.LABEL} & {*_roles(host)} or first is None:
            continue
        faults += [
            f"hosts.{name}.addresses: the first one, by which {monitor} scrapes, is IPv{first}, and {monitor} has no "
            f"IPv{first} address that the firewall could let in"
            for monitor, versions in monitors.items()
            if monitor != name and versions and first not in versions
        ]
    return faults


def _toolkit(gpu: Mapping[str, Any]) -> list[str]:
    """A toolkit beside the system's is not above the CUDA that the driver's branch runs."""
    toolkit, branch = gpu.get("cuda_toolkit"), str(_map(gpu.get("driver")).get("branch", "580"))
    highest = CUDA_OF_BRANCH.get(branch)
    if not isinstance(toolkit, str) or not re.fullmatch(CUDA_VERSION, toolkit):  # told with the single values
        return []
    if highest is None:
        return [f"gpu.cuda_toolkit: which CUDA driver branch {branch} runs is not known; write null"]
    if [*map(int, toolkit.split("."))] > [*map(int, highest.split("."))]:
        return [f"gpu.cuda_toolkit: {toolkit} is above CUDA {highest}, the highest that driver branch {branch} runs"]
    return []


def _connectx(hosts: Mapping[str, Any]) -> list[str]:
    """Ports have addresses, each its own, and each port of a host a network of its own: answers find their way back."""
    faults = []
    owner: dict[Any, str] = {}
    for name, host in hosts.items():
        ports, has_role = _map(_map(host).get("connectx")), Role.CONNECTX in _roles(host)
        if has_role != bool(ports):
            words = "missing; the role connectx gives addresses to these" if has_role else "needs the role connectx"
            faults.append(f"hosts.{name}.connectx: {words}")
        networks: dict[Any, str] = {}
        for port, text in ports.items():
            address = _interface(text)
            if address is None:  # told with the single values
                continue
            place = f"hosts.{name}.connectx.{port}"
            if owner.setdefault(address.ip, place) != place:
                faults.append(f"{place}: {address.ip} is also the address of {owner[address.ip]}")
            if networks.setdefault(address.network, port) != port:
                faults.append(f"{place}: {address.network} is also the network of {networks[address.network]}")
    return faults


def _ollama(ollama: Mapping[str, Any]) -> list[str]:
    """What is fetched is named by its digest."""
    return ["ollama.sha256: missing; what url names is unpacked by its digest"] * (
        bool(ollama.get("url")) and not ollama.get("sha256")
    )


def _containers(containers: Mapping[str, Any]) -> list[str]:
    """A key opens some registry."""
    if not containers.get("ngc_key") or containers.get("ngc_registry") or containers.get("pytorch"):
        return []
    return ["containers.ngc_registry: missing; ngc_key opens a registry, and no pytorch.image names one"]


def _evaluator(raw: Mapping[str, Any]) -> list[str]:
    """The evaluator that pages exists and can be heard."""
    monitoring = _map(raw.get("monitoring"))
    alerts, amp = monitoring.get("alerts", "prometheus"), _map(monitoring.get("amp"))
    faults = []
    if alerts == "grafana" and _map(monitoring.get("grafana")).get("mode", "none") == "none":
        faults.append("monitoring.grafana.mode: alerts are to be grafana's, and there is none: install or push")
    if alerts == "amp" and not amp:
        faults.append("monitoring.amp: missing; alerts: amp needs this section")
    if alerts == "amp" and amp and not amp.get("topic_arn"):
        faults.append("monitoring.amp.topic_arn: missing; AMP tells its alerts to an SNS topic alone")
    if alerts == "amp" and _map(raw.get("cloud")).get("provider", "none") != "aws":
        faults.append("monitoring.alerts: amp needs cloud.provider aws, its rules are resources of that account")
    return faults


def _grafana(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Grafana is where its mode says, and has what that mode needs."""
    grafana = _map(_map(raw.get("monitoring")).get("grafana"))
    mode, needed = grafana.get("mode", "none"), ("url", "token", "datasource_url")
    faults = []
    if mode == "push":
        faults += [f"monitoring.grafana.{key}: missing; mode push needs it" for key in needed if not grafana.get(key)]
    installed = [name for name, host in hosts.items() if Role.GRAFANA in _roles(host)]
    if mode == "install" and len(installed) != 1:
        faults.append(f"monitoring.grafana.mode: install needs one host with the role grafana, found {len(installed)}")
    for name in installed:
        if mode != "install":
            faults.append(f"hosts.{name}.roles: grafana needs monitoring.grafana.mode install")
        if Role.MONITOR not in _roles(hosts[name]):
            faults.append(f"hosts.{name}.roles: grafana needs monitor beside it, Prometheus listens on loopback")
    return faults


def _tailnet(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Who joins has a key to join with; who is reached over the tailnet alone has joined and says where it is."""
    access, tailnet = _map(raw.get("access")), _map(raw.get("tailnet"))
    joined = [name for name, host in hosts.items() if Role.TAILNET in _roles(host)]
    owners = {address: name for name, host in hosts.items() for address in _list(_map(host).get("addresses"))}
    faults = policy_faults(_map(tailnet.get("policy")), tailnet.get("tags", ["tag:spark"]), owners)
    if joined and not tailnet.get("auth_key"):
        faults.append(f"tailnet.auth_key: missing; hosts with the role tailnet join with it ({', '.join(joined)})")
    if access.get("tailnet_only") is not True:
        return [*faults, "access.open: has no effect without tailnet_only"] if access.get("open") else faults
    for name, host in hosts.items():
        if name not in joined:
            faults.append(f"hosts.{name}.roles: tailnet is missing; access.tailnet_only leaves no other way in")
        first = next(iter(_list(_map(host).get("addresses"))), "")
        if _version(first) and not in_tailnet(first):
            faults.append(
                f"hosts.{name}.addresses: the first one must be the host's address in the tailnet; `spark plan {name}` "
                "shows it once the host has joined"
            )
    return faults


def _node(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """What runs in an environment has the role that builds it; notebooks run as somebody who may log in."""
    faults = [
        f"hosts.{name}.roles: {role} needs node beside it, which builds its environment"
        for name, host in hosts.items()
        for role in (Role.DATASETS, Role.LABEL, Role.JUPYTER)
        if role in _roles(host) and Role.NODE not in _roles(host)
    ]
    user, people = _map(raw.get("jupyter")).get("user"), list(_map(_map(raw.get("access")).get("users")))
    if any(Role.JUPYTER in _roles(host) for host in hosts.values()) and user not in people:
        faults.append(f"jupyter.user: expected one of access.users ({', '.join(people)}), found {user or 'nobody'}")
    return faults


def _datasets(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """Data sets come from somewhere: the fleet's own store, or one that an AWS profile names."""
    mirrors = [name for name, host in hosts.items() if Role.DATASETS in _roles(host)]
    without = _map(raw.get("cloud")).get("provider", "none") == "none"
    if mirrors and without and not _map(raw.get("datasets")).get("aws_profile"):
        return [f"datasets.aws_profile: missing; without cloud.provider there is no store for {', '.join(mirrors)}"]
    return []


def _label(raw: Mapping[str, Any], hosts: Mapping[str, Any]) -> list[str]:
    """A loop that has a Triton server to serve from has a store for its models; each exporter has a port of its own."""
    hosts_of = [name for name, host in hosts.items() if Role.LABEL in _roles(host)]
    label, cloud = _map(raw.get("label")), _map(raw.get("cloud"))
    serves = _map(label.get("calypso")).get("url") or _map(raw.get("calypso")).get("url")
    without = cloud.get("provider", "none") == "none" and not _map(label.get("models")).get("aws_profile")
    faults = []
    if hosts_of and serves and without:
        faults.append(
            f"label.models.aws_profile: missing; without cloud.provider there is no store for {', '.join(hosts_of)}"
        )
    ports = {"exporter.port": _map(raw.get("exporter")).get("port", 9810), "label.port": label.get("port", 9811)}
    if hosts_of and len(set(ports.values())) < len(ports):
        faults.append(f"label.port: {label.get('port', 9811)} is also exporter.port")
    for project, runs in _map(_map(label.get("recurring")).get("projects")).items():
        host = _map(runs).get("host")
        if isinstance(host, str) and host not in hosts_of:
            words = "has not the role label" if host in hosts else "no such host"
            faults.append(f"label.recurring.projects.{project}.host: {host}: {words}")
    for heir, left_by in _map(_map(label.get("keep")).get("heirs")).items():
        if heir not in hosts_of or heir == left_by:
            words = "inherits from itself" if heir == left_by else "has not the role label"
            faults.append(f"label.keep.heirs.{heir}: {words if heir in hosts else 'no such host'}")
    return faults + _sharing(_map(label.get("ray")), hosts, hosts_of, ports)


def _sharing(
    ray: Mapping[str, Any], hosts: Mapping[str, Any], hosts_of: list[str], ports: Mapping[str, Any]
) -> list[str]:
    """Hosts that share work have the role, addresses on a network of their own, and ports that nobody else has."""
    machines, faults, owner = _map(ray.get("machines")), [], dict[Any, str]()
    for host, address in machines.items():
        if host not in hosts_of:
            words = "has not the role label" if host in hosts else "no such host"
            faults.append(f"label.ray.machines.{host}: {words}")
        if owner.setdefault(address, host) != host:
            faults.append(f"label.ray.machines.{host}: {address} is also the address of {owner[address]}")
        if isinstance(address, str) and in_tailnet(address):
            faults.append(
                f"label.ray.machines.{host}: {address} is in the tailnet; they share work over a link of theirs"
            )
    if machines and ray.get("head") not in machines:
        faults.append(f"label.ray.head: {ray.get('head')} is not among label.ray.machines")
    first = ray.get("port", 9820)
    if machines and isinstance(first, int):
        taken = [f"{place} ({port})" for place, port in ports.items() if port in range(first, first + PORTS)]
        faults += [f"label.ray.port: {first} to {first + PORTS - 1} contain {place}" for place in taken]
    return faults


def _interface(text: Any) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    try:
        return ipaddress.ip_interface(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _roles(host: Any) -> list[str]:
    return _list(_map(host).get("roles"))


def _version(address: str) -> int | None:
    """4 or 6; None for a name, of which nothing is known here."""
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return None


def _versions(host: Any) -> set[int]:
    return {version for a in _list(_map(host).get("addresses")) if (version := _version(a))}


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []
