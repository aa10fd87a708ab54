"""Sent over SSH and run as root on a machine being adopted: one request (JSON) in, one answer (JSON) out.

Standard library only, Python 3.8 or newer, one file. The sender appends the call of `main` as the last line: a text
that was cut off on the way defines functions and does nothing. Every file is replaced whole, so a kill at any point
leaves the old one or the new one; every step looks before it acts, so it can simply be run again.
"""

import contextlib
import fcntl
import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/sparkfleet")
RECORD = STATE / "adopted.json"
# Where sshd looks once the role access is applied (AuthorizedKeysFile /etc/ssh/authorized_keys/%u).
KEYS_LATER = Path("/etc/ssh/authorized_keys")
SUDOERS = Path("/etc/sudoers.d/90-sparkfleet")
DECIDES_LOGIN = ("pubkeyauthentication", "allowusers", "allowgroups", "denyusers", "denygroups", "authorizedkeysfile")


def main(request: dict[str, Any], more: "dict[str, Any] | None" = None) -> None:
    """Do what `do` names and print the answer; {"error": ...} instead of a traceback for what can be foreseen.

    `more`: steps of a script that was sent after this one (sparkfleet/rotate/host_script.py).
    """
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    os.environ["LC_ALL"] = "C.UTF-8"
    os.umask(0o022)
    os.setgroups([])  # so that `acting_as_owner` keeps nothing of root's
    request["from"] = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    steps = {"install": install, "survey": survey, "drop": drop, "restore": restore, "record": record} | (more or {})
    try:
        # A script whose controller was killed goes on to its end: the next one waits for it.
        with open("/run/sparkfleet-adopt.lock", "w") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)
            answer = steps[request["do"]](request)
    except subprocess.CalledProcessError as error:
        answer = {"error": f"{error.cmd[0]}: {(error.stderr or error.stdout or 'failed').strip()}"}
    except OSError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))


def install(request: dict[str, Any]) -> dict[str, Any]:
    """The automation account, its key and its sudo rule; {"changed": [...]} in words."""
    user, line = request["user"], request["key"]
    changed = []
    if account(user) is None:
        # Not below /home, which may be on the network or encrypted and thus away when the controller is needed most;
        # not below /var/lib/sparkfleet either, whose mode is the roles' business.
        run("useradd", "--system", "--user-group", "--create-home", "--home-dir", f"/var/lib/{user}-automation",
            "--shell", "/bin/bash", "--comment", "sparkfleet automation", user)  # fmt: skip
        changed.append(f"account {user}")
    # "*": no password fits. useradd leaves "!", which sshd without PAM takes for a locked account and refuses.
    if shadow(user).startswith("!"):
        run("usermod", "--password", "*", user)
        changed.append(f"{user}: no password, but not locked")
    entry = pwd.getpwnam(user)
    home = Path(entry.pw_dir)
    if not home.is_dir():  # useradd was killed between the account and its home
        home.mkdir(mode=0o750, parents=True)
        os.chown(home, entry.pw_uid, entry.pw_gid)
        changed.append(f"{home}")
    used = [path for path in honoured(user, request["from"]) if path.parent != KEYS_LATER]
    for path in [*used[:1], KEYS_LATER / user]:
        if add_lines(path, [line], entry):
            changed.append(f"key in {path}")
    if sudo_rule(user):
        changed.append(f"{SUDOERS}")
    said = sshd_words(user, request["from"])
    return {"changed": changed, "sshd": {word: said[word] for word in DECIDES_LOGIN if word in said}}


def sudo_rule(user: str) -> bool:
    """Let the user become root without a password; sudo logs every command to the journal. True when written."""
    rule = f"{user} ALL=(ALL:ALL) NOPASSWD: ALL"
    if SUDOERS.exists() and rule in read(SUDOERS).split("\n") and stat.S_IMODE(SUDOERS.stat().st_mode) == 0o440:
        return False  # ours, or what the role access made of it
    text = f"# Written by `spark adopt`: the automation user of sparkfleet. sudo logs each command.\n{rule}\n"
    # sudo skips names with a dot in them: the file means nothing until it has its name.
    replace(SUDOERS, text, 0o440, check=("visudo", "-cf"))
    return True


def survey(request: dict[str, Any]) -> dict[str, Any]:
    """Every authorized_keys file that sshd honours, or will once the role access is applied; nothing is changed.

    Accounts that only a directory service knows are not listed (getpwall does not enumerate them).
    """
    files: dict[str, dict[str, Any]] = {}
    notes = set()
    for entry in pwd.getpwall():
        said = sshd_words(entry.pw_name, request["from"])
        for word, meaning in (
            ("authorizedkeyscommand", "gives keys that cannot be listed here"),
            ("trustedusercakeys", "lets in everybody with a certificate of these authorities"),
        ):
            value = said.get(word, "none")
            if value != "none":
                notes.add(f"sshd: {word} {value} {meaning}")
        for path in [*expand(said.get("authorizedkeysfile", ""), entry), KEYS_LATER / entry.pw_name]:
            try:
                real = path.resolve()
                text = read(real) if real.is_file() else ""
            except OSError as error:
                notes.add(f"{path}: {error.strerror}")
                continue
            if text:
                files.setdefault(str(real), {"user": entry.pw_name, "lines": text.split("\n")})
    sudoers = {name for group in ("sudo", "wheel", "admin") for name in members(group)}
    machine = Path("/etc/machine-id")
    return {
        "files": files,
        "notes": sorted(notes),
        "sudoers": sorted(sudoers),
        "machine_id": machine.read_text().strip() if machine.exists() else "",
        "record": json.loads(RECORD.read_text()) if RECORD.exists() else {},
    }


def drop(request: dict[str, Any]) -> dict[str, Any]:
    """Take exactly these lines out of these files ({path: [lines]}), after saving them where only root can read."""
    changed = []
    for name, lines in sorted(request["lines"].items()):
        path = Path(name)
        before = read(path).split("\n") if path.is_file() else []
        gone = [line for line in before if line in lines]
        if not gone:
            continue
        # Named by its content: run again after a kill, it is the same file.
        saved = "\n".join([f"# {name}", *gone, ""])
        digest = hashlib.sha256(saved.encode(errors="surrogateescape")).hexdigest()[:12]
        folder(STATE, 0o755)
        folder(STATE / "removed", 0o700)
        replace(STATE / "removed" / f"{name.strip('/').replace('/', '-')}-{digest}.keys", saved, 0o600)
        kept = "\n".join(line for line in before if line not in lines)
        with acting_as_owner(path.parent):
            replace(path, kept, stat.S_IMODE(path.stat().st_mode))
        changed.append(f"{len(gone)} of {name}")
    return {"changed": changed}


def restore(request: dict[str, Any]) -> dict[str, Any]:
    """Put dropped lines back: the login could not be proved without them."""
    for name, lines in request["lines"].items():
        add_lines(Path(name), lines, None)
    return {"changed": sorted(request["lines"])}


def record(request: dict[str, Any]) -> dict[str, Any]:
    """Leave word of who adopted this machine, and with which keys; rewritten only when that changed."""
    before = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    facts = request["facts"]
    if {**before, **facts} == before:
        return {"changed": []}
    folder(STATE, 0o755)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    replace(RECORD, json.dumps({**facts, "when": when}, indent=1, sort_keys=True) + "\n", 0o644)
    return {"changed": [str(RECORD)]}


def honoured(user: str, address: str) -> list[Path]:
    """The authorized_keys files that sshd reads for this user now, in its order."""
    return expand(sshd_words(user, address).get("authorizedkeysfile", ""), pwd.getpwnam(user))


def sshd_words(user: str, address: str) -> dict[str, str]:
    """What sshd's configuration says for this user (`sshd -T`, which also evaluates Match blocks)."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd -T refuses to start without it (socket activation)
    connection = f"user={user},host={address},addr={address}"
    words: dict[str, str] = {}
    for line in run("sshd", "-T", "-C", connection).splitlines():
        word, _, value = line.partition(" ")
        words[word] = f"{words[word]} {value}" if word in words else value
    return words


def expand(setting: str, entry: pwd.struct_passwd) -> list[Path]:
    """AuthorizedKeysFile with its tokens (%h %u %U %%) filled in; relative paths begin at the home."""
    paths = []
    for pattern in setting.split():
        if pattern == "none":
            continue
        text = pattern.replace("%%", "\0").replace("%h", entry.pw_dir).replace("%u", entry.pw_name)
        paths.append(Path(entry.pw_dir) / text.replace("%U", str(entry.pw_uid)).replace("\0", "%"))
    return paths


def add_lines(path: Path, lines: list[str], owner: "pwd.struct_passwd | None") -> bool:
    """Make sure that the lines stand in the file; a missing folder becomes the owner's (root's below /etc)."""
    if not path.parent.is_dir():
        path.parent.mkdir(mode=0o755 if path.parent == KEYS_LATER else 0o700)
        if owner and path.parent != KEYS_LATER:
            os.chown(path.parent, owner.pw_uid, owner.pw_gid)
    with acting_as_owner(path.parent):
        before = read(path) if path.is_file() else ""
        missing = [line for line in lines if not any(there.startswith(key_of(line)) for there in before.split("\n"))]
        if missing:
            if before and not before.endswith("\n"):
                before += "\n"
            # Below /etc/ssh sshd reads it as the user, so others must be able to.
            new = 0o644 if path.parent == KEYS_LATER else 0o600
            mode = stat.S_IMODE(path.stat().st_mode) if path.is_file() else new
            replace(path, before + "\n".join([*missing, ""]), mode)
    return bool(missing)


def key_of(line: str) -> str:
    """The line without its comment, when it begins with a key: the same key with another comment is the same."""
    words = line.split(" ")
    return " ".join(words[:2]) if words[0].startswith(("ssh-", "ecdsa-", "sk-")) else line


@contextlib.contextmanager
def acting_as_owner(directory: Path) -> Iterator[None]:
    """Write with the rights of the folder's owner: a link that they planted leads us nowhere they cannot go."""
    owner = directory.stat()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def replace(path: Path, text: str, mode: int, check: "tuple[str, ...]" = ()) -> None:
    """Whoever opens the path finds the old text or the new; with `check` only if that command accepts the new one."""
    temporary = path.with_name(f".{path.name}.sparkfleet-new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()  # left by a killed run
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(text.encode(errors="surrogateescape"))
        file.flush()
        os.fsync(descriptor)
    if check:
        try:
            run(*check, str(temporary))
        except subprocess.CalledProcessError:
            temporary.unlink()
            raise
    temporary.replace(path)
    parent = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def read(path: Path) -> str:
    """The text, each byte of it: no newline is translated, and what is no UTF-8 comes back when written."""
    return path.read_bytes().decode(errors="surrogateescape")


def folder(path: Path, mode: int) -> None:
    """A folder of root's; one that exists keeps its mode."""
    if not path.is_dir():
        path.mkdir(mode=mode, parents=True)


def members(group: str) -> list[str]:
    """Who is in the group, also by their primary group."""
    try:
        entry = grp.getgrnam(group)
    except KeyError:
        return []
    return [*entry.gr_mem, *(p.pw_name for p in pwd.getpwall() if p.pw_gid == entry.gr_gid)]


def account(user: str) -> "pwd.struct_passwd | None":
    """The account, or None."""
    try:
        return pwd.getpwnam(user)
    except KeyError:
        return None


def shadow(user: str) -> str:
    """The password field of the account; never printed."""
    for line in read(Path("/etc/shadow")).split("\n"):
        if line.startswith(f"{user}:"):
            return line.split(":")[1]
    return ""


def run(*command: str) -> str:
    """The command's output; raises CalledProcessError."""
    return subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
