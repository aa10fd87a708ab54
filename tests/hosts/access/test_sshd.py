"""What sshd really does: its effective settings for everybody, Match blocks included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

DROP_INS = "/etc/ssh/sshd_config.d"


def expect(machine: Machine, **wanted: str) -> None:
    """Each named setting has its value for every user, and only that."""
    wrong: dict[str, list[str]] = {}
    for user, settings in machine.sshd.items():
        for word, value in wanted.items():
            # A word that this sshd does not print (built without it) cannot be on.
            found = " ".join(settings.get(word, [value]))
            if found.lower() != value.lower():
                wrong.setdefault(f"{word} is {found}, not {value}", []).append(user)
    lines = [f"{fault} (for {', '.join(users)})" for fault, users in wrong.items()]
    assert not lines, "; ".join(lines)


@pytest.mark.control(id="ACCESS-01", severity="high", source="CIS 5.1.19; sshd-27, sshd-28")
def test_no_password_is_accepted(machine: Machine) -> None:
    """Nobody's password is accepted by sshd, the empty one included."""
    expect(machine, passwordauthentication="no", permitemptypasswords="no")


@pytest.mark.control(id="ACCESS-02", severity="high", source="sshd-29")
def test_no_dialogue_is_accepted(machine: Machine) -> None:
    """No keyboard-interactive dialogue is held: PAM would ask for a password in it."""
    expect(machine, kbdinteractiveauthentication="no")


@pytest.mark.control(id="ACCESS-03", severity="high", source="CIS 5.1.20; sshd-06")
def test_root_cannot_log_in(machine: Machine) -> None:
    """Nobody logs in as root: who did what stays visible."""
    expect(machine, permitrootlogin="no")


@pytest.mark.control(id="ACCESS-04", severity="high", source="sparkfleet")
def test_keys_are_read_from_the_described_files_alone(machine: Machine) -> None:
    """A key lying in somebody's ~/.ssh opens nothing: sshd reads root's files alone."""
    expect(machine, authorizedkeysfile="/etc/ssh/authorized_keys/%u")


@pytest.mark.control(id="ACCESS-05", severity="high", source="CIS 5.1.9, 5.1.10; sshd-25, sshd-30, sshd-33")
def test_nothing_else_lets_people_in(machine: Machine) -> None:
    """No command, certificate authority, host trust or Kerberos ticket lets people in."""
    expect(
        machine, authorizedkeyscommand="none", trustedusercakeys="none", hostbasedauthentication="no",
        gssapiauthentication="no", kerberosauthentication="no",
    )  # fmt: skip


@pytest.mark.control(id="ACCESS-06", severity="high", source="sshd-22")
def test_a_key_is_what_logs_in(machine: Machine) -> None:
    """A public key is what sshd asks for, and the only thing."""
    expect(machine, authenticationmethods="publickey", pubkeyauthentication="yes")


@pytest.mark.control(id="ACCESS-07", severity="medium", source="CIS 5.1.16; sshd-19 (deviates)")
def test_attempts_are_limited(machine: Machine) -> None:
    """A connection may try the described number of times."""
    expect(machine, maxauthtries=str(machine.wanted["max_auth_tries"]))


@pytest.mark.control(
    id="ACCESS-08",
    severity="medium",
    source="CIS 5.1.8 (deviates); sshd-38, sshd-39 (deviates), sshd-40, sshd-41, sshd-42",
)
def test_forwarding_is_as_described(machine: Machine) -> None:
    """Ports are forwarded as described; agents, X11 and tunnels not at all."""
    expect(
        machine, allowtcpforwarding=machine.wanted["tcp_forwarding"], allowagentforwarding="no", x11forwarding="no",
        permittunnel="no", gatewayports="no",
    )  # fmt: skip


@pytest.mark.control(id="ACCESS-09", severity="low", source="CIS 5.1.21; sshd-17")
def test_people_cannot_change_their_environment(machine: Machine) -> None:
    """A file in somebody's home cannot set variables such as LD_PRELOAD for their login."""
    expect(machine, permituserenvironment="no")


@pytest.mark.control(id="ACCESS-10", severity="medium", source="sparkfleet")
def test_no_other_drop_in_lies_there(machine: Machine) -> None:
    """No other drop-in for sshd lies beside ours: idle today, it may work tomorrow."""
    other = sorted(set(machine.says(f"ls -A {DROP_INS}").split()) - set(machine.wanted["sshd_drop_ins"]))
    shown = [machine.says("head -n 3 -- %s", f"{DROP_INS}/{name}").strip() for name in other[:3]]
    assert not other, f"also in {DROP_INS}: {', '.join(other)}\n" + "\n".join(shown)
