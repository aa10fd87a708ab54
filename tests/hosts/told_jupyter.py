"""What a host says of its JupyterLab → values; the token itself never leaves the host."""

from __future__ import annotations

import base64
import json
from typing import Any

from asking import answer

UNIT = "sparkfleet-jupyter.service"
TOKEN = "/etc/sparkfleet/jupyter/token"
STARTUP = ".ipython/profile_default/startup/00-sparkfleet.py"
# Asked by the host itself: what Jupyter answers to whom, and where the token can be read.
SCRIPT = """
import glob, json, os, pwd, subprocess, sys, urllib.error, urllib.request
user, port = sys.argv[1], sys.argv[2]
def code(token, host):
    headers = {"Host": host, "Authorization": "token " + token} if token else {"Host": host}
    request = urllib.request.Request("http://127.0.0.1:%s/api/contents" % port, headers=headers)
    try:
        return str(urllib.request.urlopen(request, timeout=5).status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return "no answer: %s" % error
def holds(path, secret):
    try:
        with open(path, "rb") as f:
            return secret in f.read()
    except OSError:
        return False
try:
    with open("TOKEN") as f:
        token = f.read().strip()
    at = os.stat("TOKEN")
    kept = "%s %04o" % (pwd.getpwuid(at.st_uid).pw_name, at.st_mode & 0o7777)
except OSError as error:
    token, kept = "", str(error)
local = "127.0.0.1:%s" % port
met = {"the token": code(token, local), "nobody": code("", local), "a wrong token": code("x" * 43, local)}
met["a page elsewhere"] = code(token, "elsewhere.example")
secret = token.encode() or b"no token at all"
seen = [path for path in glob.glob("/proc/[0-9]*/cmdline") if holds(path, secret)]
journal = subprocess.run(["journalctl", "-o", "cat", "--boot", "-u", "UNIT"], stdout=subprocess.PIPE).stdout
print(json.dumps({"met": met, "kept": kept, "length": len(token), "command_lines": len(seen),
                  "in_journal": secret in journal}))
""".replace("TOKEN", TOKEN).replace("UNIT", UNIT)
# A kernel's start: what the check says before the first cell, and whether this process knows CUDA's library.
CELL = "print('cuda' if 'libcuda' in open('/proc/self/maps').read() else 'no cuda')"


def asked(wanted: dict[str, Any]) -> str:
    """The script as one word, and whom and where it asks."""
    if not wanted.get("jupyter"):
        return "echo {}"
    word = base64.b64encode(SCRIPT.encode()).decode()
    told = wanted["jupyter"]
    return f"echo {word} | base64 -d | python3 -IS - {told['user']} {told['port']}"


def kernel(wanted: dict[str, Any]) -> str:
    """IPython as that person starts it, and which file it runs first."""
    if not wanted.get("jupyter"):
        return "true"
    user = wanted["jupyter"]["user"]
    program = "/opt/sparkfleet/jupyter/bin/ipython"
    return (
        f"cmp -s /usr/local/lib/sparkfleet/ipython-startup.py ~{user}/{STARTUP} && echo there || echo missing; "
        f'runuser -u {user} -- {program} --no-banner --colors=NoColor -c "{CELL}" 2>&1'
    )


class ToldOfJupyter:
    """Who gets in, where the token lies, what a kernel starts with."""

    wanted: dict[str, Any]

    @answer(asked)
    def jupyter(self, said: str) -> dict[str, Any]:
        """`met`: who asked → the HTTP status; `kept`: owner and mode of the token; where else it can be read."""
        return dict(json.loads(said))

    @answer(kernel)
    def kernel(self, said: str) -> list[str]:
        """Whether the start-up file is "there", then what a first cell prints."""
        return said.splitlines()
