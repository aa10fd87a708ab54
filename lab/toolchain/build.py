"""The names of tools → their paths, each built from its pinned module unless the cache, or for Pulumi PATH, has it.

ensure(["pulumi", "versitygw"]) -> {"pulumi": Path("…/bin/pulumi"), …}
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, shell
from lab.progress import silent
from lab.toolchain import go

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lab.progress import Step

MODULES = Path(__file__).resolve().parent
POLITE = ["nice", "-n", "10"]  # a build of minutes must not starve the stand-ins that boot meanwhile
PULUMI_SDK = "github.com/pulumi/pulumi/sdk/v3"


@dataclass(frozen=True)
class Tool:
    """One program: the folder of the module that pins it, its package, how it is built and what lies beside it."""

    module: str
    package: str
    tags: str = ""
    version_of: tuple[str, str] | None = None  # (module whose version it carries, linker symbol that takes it)
    scripts: tuple[str, ...] = ()  # laid beside it, from the Pulumi SDK that the module `pulumi` pins

    @property
    def sources(self) -> list[Path]:
        """Its own source files; none where the pins say all, as go.sum holds the digests of what they name."""
        own = (MODULES / self.module / self.package).glob("*.go") if self.package.startswith("./") else []
        return sorted(own)


TOOLS = {
    "pulumi": Tool(
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        tags="osusergo grpcnotrace",
        version_of=(PULUMI_SDK, f"{PULUMI_SDK}/go/common/version.Version"),
    ),
    "pulumi-language-python": Tool(
        "language",
        f"{PULUMI_SDK}/python/cmd/pulumi-language-python",
        scripts=("python/cmd/pulumi-language-python-exec", "python/dist/pulumi-resource-pulumi-python"),
    ),
    "versitygw": Tool(
        "store",
        "github.com/versity/versitygw/cmd/versitygw",
        version_of=("github.com/versity/versitygw", "main.Version"),
    ),
    "tailscale": Tool("tailnet", "tailscale.com/cmd/tailscale"),
    "tailscaled": Tool("tailnet", "tailscale.com/cmd/tailscaled"),
    "control": Tool("tailnet", "./control"),
    "decide": Tool("tailnet", "./decide"),  # by tests of the tailnet's policy
    "step-ca": Tool(
        "authority",
        "github.com/smallstep/certificates/cmd/step-ca",
        version_of=("github.com/smallstep/certificates", "main.Version"),
    ),  # by the tests of the role authority
    "rclone": Tool(
        "rclone", "./", version_of=("github.com/rclone/rclone", "github.com/rclone/rclone/fs.Version")
    ),  # by `make bench BENCH=datasets`
}
NEEDED = ("pulumi", "pulumi-language-python", "versitygw")  # by `make up`
TAILNET = ("tailscale", "tailscaled", "control")  # by `make up TAILNET=yes`
PULUMI_PARTS = ("pulumi", "pulumi-language-python")


def ensure(names: Iterable[str] = NEEDED, step: Step = silent) -> dict[str, Path]:
    """Where each tool is; builds what is missing, one after another, because one build already fills all processors."""
    wanted = list(names)
    found = installed_pulumi() if set(wanted) & set(PULUMI_PARTS) else {}
    missing = [name for name in wanted if name not in found]
    if missing:
        with step("finding Go"):
            compiler = go.ensure(go.needed([_go_mod(TOOLS[name]).read_text() for name in missing]))
        said = go.describe(compiler)
        for name in missing:
            found[name] = _built(name, compiler, said, step)
    return {name: found[name] for name in wanted}


def ours(tool: Path) -> bool:
    """Whether the lab built it, so that what lies beside it belongs to it."""
    return tool.resolve().is_relative_to(cache.root().resolve())


def installed_pulumi() -> dict[str, Path]:
    """The Pulumi that the person has, both parts, if its version fits; nothing otherwise."""
    pinned = go.version(_pinned(TOOLS["pulumi"], PULUMI_SDK))
    paths = {name: shutil.which(name) for name in PULUMI_PARTS}
    if any(path is None or ours(Path(path)) for path in paths.values()):
        return {}  # absent, or what an earlier lab built and `make env` put on PATH
    if not fits(shell.run(str(paths["pulumi"]), "version", check=False), pinned):
        return {}
    return {name: Path(path) for name, path in paths.items() if path}


def fits(said: str, pinned: go.Version) -> bool:
    """Whether `pulumi version` names the pinned minor version or a newer one of the same major."""
    found = go.version(said)
    return bool(found) and found[0] == pinned[0] and found[:2] >= pinned[:2]


def _built(name: str, compiler: Path, compiler_version: str, step: Step) -> Path:
    tool = TOOLS[name]
    module = MODULES / tool.module
    flags = ["-trimpath", "-tags", tool.tags, "-ldflags", _linker_flags(tool)]
    pins = [file.read_bytes() for file in (_go_mod(tool), module / "go.sum", *tool.sources)]
    if tool.scripts:
        pins += [_pinned(TOOLS["pulumi"], PULUMI_SDK).encode(), *map(str.encode, tool.scripts)]
    key = cache.digest(compiler_version, tool.package, *flags, *pins)

    def build(out: Path) -> None:
        log = cache.root() / f"{name}.log"
        log.write_text("")
        with step(f"building {name} {version(name)}".rstrip()):
            shell.run(
                *shell.TIED, *POLITE, compiler, "build", *flags, "-o", out / name, tool.package,
                cwd=module, log=log, env=go.ENVIRONMENT,
            )  # fmt: skip
        if tool.scripts:
            sdk = _pulumi_sdk(compiler)
            for script in tool.scripts:
                shutil.copyfile(sdk / script, out / Path(script).name)
                (out / Path(script).name).chmod(0o755)

    return cache.once(f"tools/{name}-{key}", build, step) / name


def version(name: str) -> str:
    """The version that is pinned, with its v; empty for a program of our own."""
    tool = TOOLS[name]
    return "" if tool.sources else _pinned(tool, tool.package)


def source(name: str) -> Path:
    """The folder of the module that a tool is built from: its vendor's files beside the program lie there."""
    tool = TOOLS[name]
    return _module_folder(go.ensure(go.needed([_go_mod(tool).read_text()])), tool, tool.package.partition("/")[0])


def _pulumi_sdk(compiler: Path) -> Path:
    """The sources of the SDK that belongs to the command."""
    return _module_folder(compiler, TOOLS["pulumi"], PULUMI_SDK)


def _module_folder(compiler: Path, tool: Tool, module: str) -> Path:
    """Where the sources of a module lie that the tool's own module pins."""
    where = MODULES / tool.module
    shell.run(compiler, "mod", "download", module, cwd=where, env=go.ENVIRONMENT)
    return Path(shell.run(compiler, "list", "-m", "-f", "{{.Dir}}", module, cwd=where, env=go.ENVIRONMENT).strip())


def _linker_flags(tool: Tool) -> str:
    """Without debugging tables, and with the version where the program looks for it."""
    if tool.version_of is None:
        return "-s -w"
    source, symbol = tool.version_of
    return f"-s -w -X {symbol}={_pinned(tool, source)}"


def _pinned(tool: Tool, package: str) -> str:
    """The version that go.mod pins for the module which holds `package`, with its v."""
    pins = re.findall(r"^\s*(?:require )?(\S+) (v\S+)", _go_mod(tool).read_text(), re.MULTILINE)
    matching: dict[str, str] = {path: version for path, version in pins if f"{package}/".startswith(f"{path}/")}
    return matching[max(matching, key=len)]


def _go_mod(tool: Tool) -> Path:
    return MODULES / tool.module / "go.mod"
