"""A folder → a small file system in it that is frozen: who writes there blocks in the kernel, kill -9 without effect.

The only way to a process in state D without a broken driver. Root, loop devices and e2fsprogs needed. Simulated.
"""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Waits until nobody holds its input any more, also when whoever started it was killed: a file system that stays frozen
# would keep its writers for ever. arguments: the mount point.
THAW = 'cat > /dev/null; fsfreeze --unfreeze "$1"; umount --lazy "$1"'
END_S = 10.0


@contextmanager
def frozen(folder: Path) -> Iterator[Path]:
    """The path of a file that blocks its writer as long as the block lasts; then they go on, and all is taken away.

    CalledProcessError: the file system could not be made.
    """
    image, place = folder / "frozen.image", folder / "frozen"
    place.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    keeper = subprocess.Popen(["sh", "-c", THAW, "thaw", str(place)], stdin=subprocess.PIPE, start_new_session=True)
    try:
        file_to_write = place / "file"
        file_to_write.touch()
        place.chmod(0o777)
        file_to_write.chmod(0o666)
        subprocess.run(["fsfreeze", "--freeze", str(place)], check=True)
        yield file_to_write
    finally:
        keeper.communicate(timeout=END_S)
        image.unlink()
        place.rmdir()
