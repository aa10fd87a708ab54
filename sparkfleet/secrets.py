"""A reference ("file:PATH", "env:NAME") → the secret behind it, at the last moment; a secret → a file only we read.

The fleet description and the Pulumi state hold references alone. Nothing here logs, and no message quotes a value.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sparkfleet.errors import SparkfleetError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def resolve(reference: str) -> str:
    """Return the secret that `reference` points at, without its trailing newline.

    Raises SparkfleetError when the reference has no known kind, or when nothing (or only white space) is behind it.
    """
    kind, _, name = reference.partition(":")
    if kind == "file" and name:
        secret = _read(Path(name).expanduser(), reference)
    elif kind == "env" and name:
        secret = os.environ.get(name, "")
    else:
        # The text itself is not quoted: whoever wrote no reference may have written the secret.
        raise SparkfleetError(
            "a secret reference is neither file:PATH nor env:NAME",
            usually="the secret itself was written where its reference belongs",
            next_step="put the secret into a file with mode 0600 and write file:PATH; replace it if it was shared",
        )
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        missing = f"the variable {name} is not set" if kind == "env" else f"{name} is empty"
        raise SparkfleetError(
            f"the secret reference {reference} leads nowhere: {missing}", next_step=_remedy(kind, name)
        )
    return secret


def write(path: Path, secret: str) -> None:
    """Put `secret` into `path` (mode 0600, its folder 0700): a reader sees the old text or the new one, never a half.

    Raises SparkfleetError when the folder cannot be written.
    """
    # One fixed name for the unfinished file: a run that was killed leaves nothing that the next does not overwrite.
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        path.parent.chmod(FOLDER_MODE)
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secret)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise SparkfleetError(
            f"a secret could not be kept in {path}: {error.strerror}",
            usually="the controller's folder belongs to another user, or the disk is full",
            next_step=f"make {path.parent} writable for this user, then run the same command again",
        ) from error


def remove(path: Path) -> None:
    """Delete a kept secret and what an interrupted write left of it; nothing happens when there is none."""
    for leftover in (path, path.with_name(f".{path.name}.unfinished")):
        leftover.unlink(missing_ok=True)


def _read(path: Path, reference: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SparkfleetError(
            f"the secret reference {reference} leads nowhere: {reason}",
            usually="relative paths are relative to the project's folder, and another folder is the current one",
            next_step=_remedy("file", str(path)),
        ) from None


def _remedy(kind: str, name: str) -> str:
    if kind == "env":
        return f"export {name} in the shell that runs pulumi or spark"
    return f"write the secret to {name} and give the file mode 0600"


def _sync_folder(folder: Path) -> None:
    """Make the new name outlast a power cut; file systems that cannot do this are not worth failing for."""
    descriptor = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
