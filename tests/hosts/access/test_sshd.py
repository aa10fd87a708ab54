"""What sshd really does: its effective settings for everybody, Match blocks included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

DROP_INS = "/etc/ssh/sshd_config.d"
UNIT = "ssh.service"


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
    """Nobody's password is accepted by sshd, the empty one included.

    The effective settings (`sshd -T`) for root, nobody, and each described user.
    """
    expect(machine, passwordauthentication="no", permitemptypasswords="no")


@pytest.mark.control(id="ACCESS-02", severity="high", source="sshd-29")
def test_no_dialogue_is_accepted(machine: Machine) -> None:
    """No keyboard-interactive dialogue is held: PAM would ask for a password in it.

    The effective settings for each user.
    """
    expect(machine, kbdinteractiveauthentication="no")


@pytest.mark.control(id="ACCESS-03", severity="high", source="CIS 5.1.20; sshd-06")
def test_root_cannot_log_in(machine: Machine) -> None:
    """Nobody logs in as root: who did what stays visible.

    The effective settings for each user.
    """
    expect(machine, permitrootlogin="no")


@pytest.mark.control(id="ACCESS-04", severity="high", source="sparkfleet")
def test_keys_are_read_from_the_described_files_alone(machine: Machine) -> None:
    """A key lying in somebody's ~/.ssh opens nothing: sshd reads root's files alone.

    The effective settings for each user.
    """
    expect(machine, authorizedkeysfile="/etc/ssh/authorized_keys/%u")


@pytest.mark.control(id="ACCESS-05", severity="high", source="CIS 5.1.9, 5.1.10; sshd-25, sshd-30, sshd-33")
def test_nothing_else_lets_people_in(machine: Machine) -> None:
    """No command, certificate authority, host trust or Kerberos ticket lets people in.

    The effective settings for each user.
    """
    expect(
        machine, authorizedkeyscommand="none", authorizedprincipalsfile="none", trustedusercakeys="none",
        hostbasedauthentication="no", gssapiauthentication="no", kerberosauthentication="no",
    )  # fmt: skip


@pytest.mark.control(id="ACCESS-06", severity="high", source="sshd-22")
def test_a_key_is_what_logs_in(machine: Machine) -> None:
    """A public key is what sshd asks for, and the only thing.

    The effective settings for each user.
    """
    expect(machine, authenticationmethods="publickey", pubkeyauthentication="yes")


@pytest.mark.control(id="ACCESS-07", severity="medium", source="CIS 5.1.16; sshd-19 (deviates)")
def test_attempts_are_limited(machine: Machine) -> None:
    """A connection may try the described number of times.

    The effective settings for each user.
    """
    expect(machine, maxauthtries=str(machine.wanted["max_auth_tries"]))


@pytest.mark.control(
    id="ACCESS-08", severity="medium",
    source="CIS 5.1.8 (deviates); sshd-38, sshd-39 (deviates), sshd-40, sshd-41, sshd-42",
)  # fmt: skip
def test_forwarding_is_as_described(machine: Machine) -> None:
    """Ports are forwarded as described; agents, X11 and tunnels not at all.

    The effective settings for each user.
    """
    forwarding = machine.wanted["tcp_forwarding"]
    expect(
        machine, allowtcpforwarding=forwarding, allowstreamlocalforwarding=forwarding, allowagentforwarding="no",
        x11forwarding="no", permittunnel="no", gatewayports="no",
    )  # fmt: skip


@pytest.mark.control(id="ACCESS-09", severity="low", source="CIS 5.1.21; sshd-17")
def test_people_cannot_change_their_environment(machine: Machine) -> None:
    """A file in somebody's home cannot set variables such as LD_PRELOAD for their login, nor run at it.

    The effective settings for each user.
    """
    expect(machine, permituserenvironment="no", permituserrc="no")


@pytest.mark.control(id="ACCESS-10", severity="medium", source="sparkfleet")
def test_no_other_drop_in_lies_there(machine: Machine) -> None:
    """No other drop-in for sshd lies beside ours: idle today, it may work tomorrow.

    The names in /etc/ssh/sshd_config.d are exactly the described ones.
    """
    found = {path.removeprefix(f"{DROP_INS}/") for path in machine.files if path.startswith(f"{DROP_INS}/")}
    other = sorted(found - set(machine.wanted["sshd_drop_ins"]))
    shown = [machine.says("head -n 3 -- %s", f"{DROP_INS}/{name}").strip() for name in other[:3]]
    assert not other, f"also in {DROP_INS}: {', '.join(other)}\n" + "\n".join(shown)


@pytest.mark.control(
    id="ACCESS-21", severity="medium",
    source="CIS 5.1.7 (deviates), 5.1.13, 5.1.17, 5.1.18; "
    "sshd-18, sshd-20, sshd-21 (deviates), sshd-35, sshd-36 (deviates), sshd-37",
)  # fmt: skip
def test_connections_are_limited(machine: Machine) -> None:
    """Who does not log in soon is sent away, many at once are refused, and a dead session ends within minutes.

    The effective settings for each user.
    """
    expect(
        machine, logingracetime="30", maxstartups="10:30:60", maxsessions="10", clientaliveinterval="60",
        clientalivecountmax="3", tcpkeepalive="no",
    )  # fmt: skip


@pytest.mark.control(id="ACCESS-22", severity="medium", source="CIS 5.1.14; sshd-12, sshd-13")
def test_logins_are_logged_with_their_key(machine: Machine) -> None:
    """Each login is logged with the fingerprint of its key.

    The effective settings for each user.
    """
    expect(machine, loglevel="VERBOSE", syslogfacility="AUTH")


@pytest.mark.control(id="ACCESS-23", severity="medium", source="CIS 5.1.11, 5.1.22; sshd-11, sshd-23, sshd-24")
def test_files_of_people_change_no_trust(machine: Machine) -> None:
    """Trust never comes from files in people's homes, and PAM's rules for accounts and sessions count.

    The effective settings for each user.
    """
    expect(machine, strictmodes="yes", ignorerhosts="yes", ignoreuserknownhosts="yes", usepam="yes")


@pytest.mark.control(id="ACCESS-24", severity="medium", source="sparkfleet")
def test_sshd_runs_with_its_files_as_they_are(machine: Machine) -> None:
    """Sshd runs with its files as they are: what `sshd -T` says is what the running one does.

    No file of its settings is newer than its last start or reload; where a socket starts one sshd a connection, each
    reads them anew.
    """
    if not machine.runs(UNIT):
        pytest.skip(f"{UNIT} does not run: each connection gets an sshd of its own")
    newer = machine.newer_than_sshd
    assert not newer, f"changed since sshd was started or reloaded: {', '.join(newer)}"
