"""Fleet + templates/ → Desired: what a host should be, as rendered files and as one flat map of settings.

Pure. The flat map is what the plan compares, what Pulumi records and what people read in a preview:
    "file:/etc/x"      "<sha256, 16 digits> 0644 root:root"      "package:nftables"   "installed"
    "link:/etc/y"      "/its/target"                             "unit:x.service"     "enabled,active" or "enabled"
    "listing:/etc/z"   "the only names in it"                    "sysctl:a.b"         "1"
    "user:alice"       "sudo" or "no sudo"                       "role:access"        "<digest of the role's files>"
    "tailnet:state"    "Running", and so on: how the host stands in its tailnet
    "identity:certificate" "valid": what the host's own certificate is, as the host judges it
    "json:/etc/j#/a/b" "true": a value in a JSON file that is not ours, as JSON text
    "secret:/etc/s"    "<name> key <id of the key>": never the secret, never its digest
    "environment:x"    "<digest of the lock>": a Python environment that was built from it, for the host's Python
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, Template, TemplateError

from sparkfleet.errors import SparkfleetError
from sparkfleet.host import holds, merged
from sparkfleet.host.openings import guarded
from sparkfleet.host.parts import HIDDEN, label, lock, recurring, sessions
from sparkfleet.host.parts.alignment import fact_file
from sparkfleet.host.parts.identity import authorities
from sparkfleet.host.roles import DASHBOARDS_FOLDER, PARTS, RULES_FOLDER, exporters, probes
from sparkfleet.model import Role
from sparkfleet.monitoring import grafana
from sparkfleet.monitoring.alertmanager import for_webhooks
from sparkfleet.monitoring.rules import for_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.host.parts import Parts, Secret
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet, Host

FRONT = re.compile(r"\A\{#-? (?P<settings>[^#]*?) -?#\}\n")
MODE = re.compile(r"[0-7]{4}")
PER_USER, PER_RUN = "[user]", "[run]"

# No autoescape: these are configuration files, not HTML. An undefined name is an error, never an empty value.
ENVIRONMENT = Environment(
    undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
)


@dataclass(frozen=True)
class File:
    """One file on the host. `validate` is a command that must accept it (%s: its path) before it takes its place."""

    content: bytes
    role: Role
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    validate: str = ""
    disruptive: bool = False

    @property
    def setting(self) -> str:
        """How it stands in the flat map."""
        return f"{hashlib.sha256(self.content).hexdigest()[:16]} {self.mode:04o} {self.owner}:{self.group}"


@dataclass(frozen=True)
class Desired:
    """What one host should be."""

    host: str
    roles: tuple[Role, ...]
    files: dict[str, File]
    parts: dict[Role, Parts]
    role_digests: dict[Role, str]
    secret_versions: dict[str, str]
    settings: dict[str, str] = field(init=False)
    _role_of: dict[str, Role] = field(init=False)

    def __post_init__(self) -> None:
        """Derive the flat map once; the dataclass stays frozen to everybody else."""
        pairs = {key: (value, role) for key, value, role in self._items()}
        object.__setattr__(self, "settings", {k: v for k, (v, _) in sorted(pairs.items())})
        object.__setattr__(self, "_role_of", {k: r for k, (_, r) in pairs.items()})

    def role_of(self, key: str) -> Role | None:
        """The role that looks after a setting; None for one that is not described (any more)."""
        return self._role_of.get(key)

    def disruptive(self, key: str) -> bool:
        """Whether applying the setting may cut connections or stop a service that people use."""
        file = self.files.get(key.removeprefix("file:"))
        return key.startswith("file:") and file is not None and file.disruptive

    def secret_setting(self, secret: Secret) -> str:
        """What stands for a secret: its name and the id of the key that the controller holds."""
        return secret_setting(secret, self.secret_versions.get(secret.name, "not made yet"))

    def _items(self) -> Iterator[tuple[str, str, Role]]:
        for path, file in self.files.items():
            yield f"file:{path}", file.setting, file.role
        for role, parts in self.parts.items():
            for kind, values in (
                ("package", dict.fromkeys(parts.packages, "installed")),
                ("unit", parts.units),
                ("sysctl", parts.sysctls),
                ("user", parts.users),
                ("link", parts.links),
                ("tailnet", parts.tailnet),
                ("identity", parts.identity),
                ("secret", {path: self.secret_setting(secret) for path, secret in parts.secrets.items()}),
                (merged.KIND, merged.settings(parts.merged)),
                ("listing", {folder: self._listing(folder) for folder in parts.exact}),
                ("environment", {name: self.files[lock(name)].setting.split()[0] for name in parts.environments}),
            ):
                for name, value in values.items():
                    yield f"{kind}:{name}", value, role
            yield f"role:{role}", self.role_digests[role], role

    def _listing(self, folder: str) -> str:
        inside = (path.removeprefix(f"{folder}/") for path in self.files if path.startswith(f"{folder}/"))
        return " ".join(sorted(name for name in inside if "/" not in name))


def secret_setting(secret: Secret, version: str) -> str:
    """The setting's value; a template of `version`, so that Pulumi can fill in a key that is not made yet."""
    return f"{secret.name} key {version}"


def desired(fleet: Fleet, name: str, sources: Sources) -> Desired:
    """What the host `name` should be; raises SparkfleetError when a template names something undefined."""
    host = fleet.hosts[name]
    parts = {role: PARTS[role](fleet, name) for role in host.all_roles}
    context = template_context(fleet, host, name, parts)
    files: dict[str, File] = {}
    for template, text in sources.templates.items():
        role, options = _front(template, text)
        if role not in parts or not _holds(template, options, context):
            continue
        for path, more in _paths(template, fleet, name, sources):
            files[path] = _file(template, text, {**context, **more}, role, options)
    for role, wanted in parts.items():
        for path, source in wanted.copied.items():
            files[path] = File(sources.raw[source], role)
        for path, zipapp in wanted.zipapps.items():
            files[path] = File(sources.zipapps[zipapp], role)
    if Role.MONITOR in parts:
        files |= _rules(fleet, sources)
    if Role.GRAFANA in parts:
        files |= _grafana(fleet, sources)
    digests = {role: sources.role_digests[role] for role in parts}
    return Desired(name, host.all_roles, dict(sorted(files.items())), parts, digests, dict(sources.secret_versions))


def _paths(template: str, fleet: Fleet, name: str, sources: Sources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where a template's text goes, with what it may name there: once, or for each of what its path stands for."""
    path = "/" + template.removesuffix(".j2")
    if PER_USER in path:
        for user, keys in _authorized_keys(fleet, sources).items():
            yield path.replace(PER_USER, user), {"user": user, "authorized_keys": keys}
    elif PER_RUN in path:
        for run, wanted in recurring.runs(fleet, name).items():
            yield path.replace(PER_RUN, run), {"run": wanted}
    else:
        yield path, {}


def _rules(fleet: Fleet, sources: Sources) -> dict[str, File]:
    """The rule files that the monitor's Prometheus loads."""
    head = "# Written by sparkfleet; the reasons stand in exporters/.\n"
    texts = {name: head + for_prometheus(text, fleet.monitoring) for name, text in sources.rules.items()}
    check = "promtool check rules %s"
    return {f"{RULES_FOLDER}/{n}": File(text.encode(), Role.MONITOR, validate=check) for n, text in texts.items()}


def _grafana(fleet: Fleet, sources: Sources) -> dict[str, File]:
    """Grafana's provisioning files: where it asks, what it shows and, when it pages, the rules and who is told."""
    texts = {
        "datasources": grafana.datasources_file(),
        "dashboards": grafana.dashboards_file(fleet.monitoring.grafana.folder, DASHBOARDS_FOLDER),
        "alerting": grafana.alerting_file(sources.rules.values(), fleet.monitoring, fleet.monitor.scrape_interval),
    }
    head, place = "# Written by sparkfleet.\n", "/etc/grafana/provisioning"
    return {f"{place}/{n}/sparkfleet.yaml": File((head + text).encode(), Role.GRAFANA) for n, text in texts.items()}


def _authorized_keys(fleet: Fleet, sources: Sources) -> dict[str, list[str]]:
    people = {user: sorted(person.authorized_keys) for user, person in fleet.access.users.items()}
    return {**people, fleet.controller.user: [sources.automation_key]}


def template_context(fleet: Fleet, host: Host, name: str, parts: dict[Role, Parts]) -> dict[str, Any]:
    """What templates may name."""
    return {
        "fleet": fleet,
        "host": host,
        "name": name,
        "roles": [str(role) for role in parts],
        "sysctls": parts[Role.BASE].sysctls,
        "exporters": exporters(fleet),
        "guarded": guarded(fleet, name),
        "probes": probes(fleet),
        "alignment": fact_file(fleet),
        "label": label.told(fleet, name),
        "authorities": authorities(fleet),
        "account": sessions.told(fleet, name),
        "hidden": [*HIDDEN, *sorted(path for wanted in parts.values() for path in wanted.secrets)],
        "holds": holds.pins(fleet.gpu),
        "alertmanager": for_webhooks(fleet.monitoring.receivers),
    }


def _front(template: str, text: str) -> tuple[Role, dict[str, str]]:
    """A template's first line says whose it is: {#- role: access; mode: 0600; validate: sshd -t -f %s #}."""
    match = FRONT.match(text)
    pairs = [p.partition(":") for p in match["settings"].split(";")] if match else []
    options = {key.strip(): value.strip() for key, _, value in pairs}
    fault = _front_fault(options)
    if fault:
        raise SparkfleetError(f"templates/{template}: its first line must be {{#- role: ROLE; … #}}; {fault}")
    return Role(options.pop("role")), options


def _front_fault(options: dict[str, str]) -> str:
    """What is wrong with a template's options; empty when nothing is."""
    unknown = options.keys() - {"role", "mode", "owner", "group", "validate", "disruptive", "when"}
    if unknown:
        return f"unknown there: {', '.join(sorted(unknown))}"
    if options.get("role") not in set(Role):
        return f"ROLE is one of {', '.join(Role)}"
    if not MODE.fullmatch(options.get("mode", "0644")):
        return f"mode: expected four octal digits, found {options['mode']}"
    if options.get("disruptive", "yes") != "yes":
        return f"disruptive: expected yes or nothing, found {options['disruptive']}"
    if "%s" not in options.get("validate", "%s"):
        return f"validate: no %s for the file's path in {options['validate']!r}"
    return ""


def _holds(template: str, options: dict[str, str], context: dict[str, Any]) -> bool:
    """Whether a template's own condition (when: fleet.x == "y") lets it be shipped."""
    try:
        return bool(ENVIRONMENT.compile_expression(options.get("when", "true"), undefined_to_none=False)(**context))
    except TemplateError as error:
        raise SparkfleetError(
            f"templates/{template}: when: {error}", next_step="define it or mend the name."
        ) from error


@cache
def _compiled(text: str) -> Template:
    """A template's body, compiled once for all hosts."""
    return ENVIRONMENT.from_string(FRONT.sub("", text))


def _file(template: str, text: str, context: dict[str, Any], role: Role, options: dict[str, str]) -> File:
    try:
        rendered = _compiled(text).render(context)
    except TemplateError as error:
        raise SparkfleetError(f"templates/{template}: {error}", next_step="define it or mend the name.") from error
    return File(
        content=rendered.encode(),
        role=role,
        mode=int(options.get("mode", "0644"), 8),
        owner=options.get("owner", "root"),
        group=options.get("group", "root"),
        validate=options.get("validate", ""),
        disruptive=options.get("disruptive") == "yes",
    )
