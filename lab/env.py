"""An instance → the environment in which `pulumi` and `spark` work on it, for a shell or for a child process.

    eval "$(make -s env)"

Nothing of the person's own Pulumi is read or changed.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.instance import Instance


def exports(instance: Instance, stack: str) -> dict[str, str]:
    """Every variable but PATH."""
    return {
        "PULUMI_STACK": stack,
        "PULUMI_BACKEND_URL": f"file://{instance.folder / 'pulumi'}",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(passphrase_file(instance)),
        # Selected stacks, credentials and plugins of your own projects stay where they are.
        "PULUMI_HOME": str(instance.folder / "pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_CONTINUE_ON_ERROR": "true",  # one broken host must not keep the others from converging
    }


def paths(instance: Instance) -> list[str]:
    """What goes first on PATH: the project's Python, which Pulumi's language host takes from there, then the tools."""
    return [str(Path(sys.executable).parent), str(tools(instance))]


def tools(instance: Instance) -> Path:
    """The folder with the lab's programs."""
    return instance.folder / "bin"


def passphrase_file(instance: Instance) -> Path:
    """What Pulumi encrypts secrets of the state with."""
    return instance.secrets / "pulumi-passphrase"


def shell_lines(instance: Instance, stack: str) -> str:
    """For `eval`: safe with any character in the paths."""
    first = ":".join(shlex.quote(path) for path in paths(instance))
    lines = [f'export PATH={first}:"$PATH"']
    lines += [f"export {name}={shlex.quote(value)}" for name, value in exports(instance, stack).items()]
    return "\n".join(lines)


def process(instance: Instance, stack: str) -> dict[str, str]:
    """The same for a child process, added to its environment."""
    return {"PATH": ":".join([*paths(instance), os.environ["PATH"]]), **exports(instance, stack)}
