"""What serves a host's ways in: systemd's units, sshd, the firewall's table. Runs ON the host, in `guard_script`.

Standard library only, Python 3.10 or newer; `guard` puts this text where `guard_script` imports it.
"""

import subprocess

CLEAR = "table inet sparkfleet\ndelete table inet sparkfleet\n"  # the first line, so that the second cannot fail
COMMAND_S = 20.0  # a command may hang (a bus that does not answer): the host must come back all the same
NOT_FOUND = 127


def table() -> str:
    """The firewall's table as it is in the kernel; nothing when there is none."""
    code, said = run("nft", "--stateless", "list", "table", "inet", "sparkfleet")
    return "" if code else said


def load_table(text: str) -> list[str]:
    """The firewall's table as it was, or none when that is refused: an open door is the smaller harm. The failures."""
    said = ""
    for rules in dict.fromkeys((CLEAR + text, CLEAR)):
        code, said = run("nft", "-f", "-", stdin=rules)
        if code in {0, NOT_FOUND}:
            return []
    return [f"nft: {said}"]


def serve(were_active: list[str], *, tailscaled: bool) -> None:
    """Let the services take up what was put back. Nothing is waited for: at boot they have yet to start."""
    run("systemctl", "daemon-reload")
    if run("sshd", "-t")[0] == 0:
        # After a reload a sshd that ssh.socket has started fails to bind the socket's port; a restart keeps sessions.
        verb = "try-restart" if active("ssh.socket") else "try-reload-or-restart"
        run("systemctl", "--no-block", verb, "ssh.service")
    if tailscaled:
        run("systemctl", "--no-block", "try-restart", "tailscaled.service")
    for unit in were_active:
        if not active(unit):
            run("systemctl", "--no-block", "start", unit)


def active(unit: str) -> bool:
    """Whether systemd says so."""
    return run("systemctl", "is-active", "--quiet", unit)[0] == 0


def run(*command: str, stdin: str = "") -> tuple[int, str]:
    """A command's exit code and what it printed; 127 when there is none. One that hangs is given up."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except FileNotFoundError:
        return NOT_FOUND, f"{command[0]} is not there"
    except subprocess.TimeoutExpired:
        return 1, f"{command[0]} did not end within {COMMAND_S:.0f} s"
    return done.returncode, done.stdout if done.returncode == 0 else (done.stderr or done.stdout).strip()
