"""An archive's address and digest → its tree where the digest says, whole or not at all. Runs ON the host, as root.

    unpack.py URL SHA256 FOLDER PROGRAM     PROGRAM: the file's path, or the end of it, that makes the tree of use

Standard library, and tar. FOLDER/PROGRAM is there afterwards; folders above it in the archive are left out. Says on
standard output what it made; nothing when it was there. Another archive than the described one is refused. Earlier
releases, which lie beside FOLDER under the same name with another digest, are removed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

STILL_S = 60  # so long a server may say nothing


def fetched(url: str, sha256: str, into: Path) -> None:
    """The archive; ends the program when it is not the described one."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=STILL_S) as answer, into.open("wb") as file:  # noqa: S310 (described)
        while block := answer.read(1 << 20):
            digest.update(block)
            file.write(block)
    if digest.hexdigest() != sha256:
        sys.exit(f"{url} is another archive than the described one: sha256 {digest.hexdigest()}, described {sha256}")


def main(url: str, sha256: str, folder: Path, program: str) -> None:
    """Make the folder when it is not there."""
    if (folder / program).exists():
        return
    folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpack-") as name:
        archive, tree = Path(name, "archive"), Path(name, "tree")
        try:
            fetched(url, sha256, archive)
        except OSError as error:
            sys.exit(f"{url} could not be fetched: {error}")
        tree.mkdir()
        words = ["tar", "-x", "--no-same-owner", "-f", str(archive), "-C", str(tree)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        tops = [path.parents[len(Path(program).parts) - 1] for path in tree.rglob(f"*{Path(program).name}")]
        found = [top for top in tops if (top / program).is_file()]
        if done.returncode or not found:
            sys.exit(f"{url} holds no {program}: {done.stderr.strip()[-300:]}")
        top = min(found, key=lambda path: len(path.parts))
        top.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)  # without its program it is of no use
        top.rename(folder)
    kind = folder.name.rpartition("-")[0]
    for other in folder.parent.glob(f"{kind}-*"):
        if other != folder:
            shutil.rmtree(other)
    print(f"made {folder}")


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4])
