"""The mutations of the ways in: sshd, keys, accounts, sudo, the firewall, what is written down."""

from __future__ import annotations

from tests.e2e.mutation import RELOAD, SSHD, Mutation, file, sshd, stray, unit

KEYS = "/etc/ssh/authorized_keys"
STRAY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE stray"
FIREWALL = "systemctl reload sparkfleet-firewall"
LISTEN = "until ss -H {flag} sport = :{port} | grep -q .; do sleep 0.1; done"
UDP = "import socket, time; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((str(), 5000)); time.sleep(600)"

SSHD_MUTATIONS = [
    sshd("ACCESS-01", "PasswordAuthentication", "yes", "passwordauthentication is yes"),
    sshd("ACCESS-02", "KbdInteractiveAuthentication", "yes", "kbdinteractiveauthentication is yes"),
    sshd("ACCESS-03", "PermitRootLogin", "prohibit-password", "permitrootlogin is without-password"),
    file(
        "ACCESS-04",
        "a Match block reads one user's own keys",
        SSHD,
        'printf "Match User alice\\nAuthorizedKeysFile .ssh/authorized_keys\\n" >> $f',
        "for alice",
        then=RELOAD,
    ),
    sshd("ACCESS-05", "TrustedUserCAKeys", "/etc/ssh/ssh_host_ed25519_key.pub", "trustedusercakeys is /etc/ssh"),
    sshd("ACCESS-06", "AuthenticationMethods", "any", "authenticationmethods is any"),
    sshd("ACCESS-07", "MaxAuthTries", "20", "maxauthtries is 20"),
    sshd("ACCESS-08", "X11Forwarding", "yes", "x11forwarding is yes"),
    sshd("ACCESS-09", "PermitUserEnvironment", "yes", "permituserenvironment is yes"),
    stray(
        "ACCESS-10",
        "another drop-in",
        "/etc/ssh/sshd_config.d/99-stray.conf",
        "VersionAddendum none\\n",
        "99-stray.conf",
        then=RELOAD,
    ),
    file(
        "ACCESS-11",
        "passwords as well as keys",
        SSHD,
        'sed -i "s/^\\(AuthenticationMethods\\) .*/\\1 any/; s/^\\(PasswordAuthentication\\) .*/\\1 yes/" $f',
        "publickey,password",
        "ACCESS-01",
        "ACCESS-06",
        then=RELOAD,
    ),
    sshd("ACCESS-21", "LoginGraceTime", "600", "logingracetime is 600"),
    sshd("ACCESS-22", "LogLevel", "QUIET", "loglevel is SILENT"),
    sshd("ACCESS-23", "StrictModes", "no", "strictmodes is no"),
    file("ACCESS-24", "settings that sshd has not read", SSHD, "echo '# later' >> $f", "00-sparkfleet.conf"),
    sshd("ACCESS-25", "KexAlgorithms", "+diffie-hellman-group14-sha256", "diffie-hellman-group14-sha256"),
    sshd("ACCESS-26", "Ciphers", "+aes128-cbc", "aes128-cbc"),
    sshd("ACCESS-27", "MACs", "+hmac-sha1", "hmac-sha1"),
    sshd("ACCESS-28", "HostKey", "/etc/ssh/ssh_host_ed25519_key\\nHostKey /etc/ssh/ssh_host_rsa_key", "rsa-sha2-512"),
]

PEOPLE = [
    file("ACCESS-12", "a stray key", f"{KEYS}/alice", f"echo {STRAY} >> $f", "EEEEEEEEEEEE is not described"),
    Mutation(
        "ACCESS-13",
        "somebody's own key file",
        f"chown alice {KEYS}/alice",
        f"chown root {KEYS}/alice",
        "alice: alice",
    ),
    file("ACCESS-14", "sudo without a password", "/etc/sudoers", "echo '%sudo ALL=(ALL) NOPASSWD: ALL' >> $f", "%sudo"),
    Mutation(
        "ACCESS-15",
        "somebody else in group sudo",
        "useradd --groups sudo mallory",
        "userdel mallory",
        "mallory is not described",
    ),
    file("ACCESS-16", "a second root", "/etc/passwd", "echo 'toor:x:0:0::/:/usr/sbin/nologin' >> $f", "toor (uid 0)"),
    Mutation(
        "ACCESS-17",
        "an account without a password",
        "useradd mallory; passwd --delete mallory",
        "userdel mallory",
        "an empty password: mallory",
    ),
    Mutation(
        "ACCESS-29",
        "a key that was rotated away still opens",
        'cp -p "$FOLDER/keys/automation" "$FOLDER/keys/automation.old"',
        'rm "$FOLDER/keys/automation.old"',
        "a shell, without asking",
        at="controller",
    ),
    Mutation(
        "ACCESS-30",
        "a service with a password",
        "echo daemon:simulated | chpasswd",
        "usermod --password '*' daemon",
        "daemon",
    ),
    Mutation(
        "ACCESS-31",
        "a service with a shell",
        "usermod --shell /bin/bash games",
        "usermod --shell /usr/sbin/nologin games",
        "games (/bin/bash)",
    ),
    Mutation(
        "ACCESS-32",
        "the console's account is locked",
        "passwd --lock console",
        "passwd --unlock console",
        "its password is locked",
    ),
]

NETWORK = [
    Mutation(
        "ACCESS-18",
        "a service on every address",
        "systemd-run --quiet --unit=stray python3 -m http.server 8000; " + LISTEN.format(flag="-lt", port=8000),
        "systemctl stop stray",
        "0.0.0.0:8000 (python3)",
    ),
    Mutation(
        "ACCESS-19",
        "the firewall does not come back",
        "systemctl --quiet disable sparkfleet-firewall",
        "systemctl --quiet enable sparkfleet-firewall",
        "disabled",
    ),
    Mutation(
        "ACCESS-20",
        "the firewall is gone",
        "nft delete table inet sparkfleet",
        FIREWALL,
        "no table inet sparkfleet",
        ("ACCESS-35", "ACCESS-36"),
    ),
    Mutation(
        "ACCESS-33",
        "something takes packets",
        f"systemd-run --quiet --unit=stray python3 -c '{UDP}'; " + LISTEN.format(flag="-lu", port=5000),
        "systemctl stop stray",
        "0.0.0.0:5000 (python3), udp",
    ),
    Mutation(
        "ACCESS-34",
        "a rule by hand",
        "nft insert rule inet sparkfleet input tcp dport 8001 accept",
        FIREWALL,
        "only in force: tcp dport 8001 accept",
    ),
    Mutation(
        "ACCESS-35",
        "containers are let in",
        "nft add chain inet sparkfleet forward '{ policy accept; }'",
        FIREWALL,
        "the chain at forward has policy accept",
        ("ACCESS-34",),
    ),
    Mutation(
        "ACCESS-36",
        "SSH from the LAN",
        "nft insert rule inet sparkfleet input tcp dport 22 accept",
        FIREWALL,
        "port 22 is open",
        ("ACCESS-34",),
    ),
]

FILES = [
    Mutation(
        "ACCESS-37",
        "sshd's settings are everybody's",
        "chmod o+w /etc/ssh/sshd_config",
        "chmod o-w /etc/ssh/sshd_config",
        "/etc/ssh/sshd_config is root:root 0646",
    ),
    Mutation(
        "ACCESS-38", "hashes for everybody", "chmod o+r /etc/shadow", "chmod o-r /etc/shadow", "/etc/shadow is root"
    ),
    stray("ACCESS-39", "another file of sudo's", "/etc/sudoers.d/stray", "# idle\\n", "stray"),
    Mutation(
        "ACCESS-40",
        "a firewall that others write",
        "chmod o+w /etc/sparkfleet/firewall.nft",
        "chmod o-w /etc/sparkfleet/firewall.nft",
        "/etc/sparkfleet/firewall.nft is root:root 0646",
    ),
    Mutation(
        "ACCESS-41",
        "a folder of root's PATH is everybody's",
        "chmod o+w /usr/local/bin",
        "chmod o-w /usr/local/bin",
        "/usr/local/bin is root:root 0757",
    ),
    Mutation(
        "ACCESS-42",
        "a shell that makes root",
        "cp /bin/sh /usr/local/bin/stray; chmod u+s /usr/local/bin/stray",
        "rm /usr/local/bin/stray",
        "/usr/local/bin/stray",
    ),
    stray("ACCESS-43", "a job of cron's", "/etc/cron.d/stray", "@daily root true\\n", "/etc/cron.d/stray"),
    stray("ACCESS-44", "another machine is trusted", "/root/.rhosts", "+ +\\n", "/root/.rhosts"),
]

RECORDS = [
    file("ACCESS-45", "sudo tells nobody", "/etc/sudoers", "echo 'Defaults !syslog' >> $f", "told the journal nothing"),
    file(
        "ACCESS-46", "sudo never asks again", "/etc/sudoers", "echo 'Defaults timestamp_timeout=-1' >> $f", "-1 minutes"
    ),
    Mutation(
        "ACCESS-47",
        "the auditor does not come back",
        "systemctl --quiet disable auditd",
        "systemctl --quiet enable auditd",
        "disabled",
    ),
    file(
        "ACCESS-48",
        "keys are not watched",
        "/etc/audit/rules.d/50-sparkfleet.rules",
        "sed -i '\\|-w /etc/ssh |d' $f",
        "/etc/ssh",
    ),
    unit(
        "ACCESS-49",
        "no memory is kept for sshd",
        "ssh.service",
        "[Service]\\nMemoryMin=0\\n",
        "ssh.service has no MemoryMin",
    ),
    unit(
        "ACCESS-50",
        "tailscaled may be ended first",
        "tailscaled.service",
        "[Service]\\nOOMScoreAdjust=0\\n",
        "tailscaled has no score",
    ),
    stray(
        "ACCESS-51", "a guard that nobody disarms", "/var/lib/sparkfleet-guard/armed.json", "{}\\n", "neither confirmed"
    ),
    stray(
        "ACCESS-52",
        "a run that was killed",
        "/run/sparkfleet/holder.json",
        '{"pid": 4194303, "purpose": "spark rotate ssh", "who": "alice@laptop"}\\n',
        '"spark rotate ssh" of alice@laptop',
    ),
    file(
        "ACCESS-53",
        "a key that is overdue",
        "/var/lib/sparkfleet/metrics/rotation.prom",
        "sed -i 's/\\(due_.*\"ssh\"} \\).*/\\11000000000/' $f",
        "overdue: ssh for",
    ),
]

MUTATIONS = [*SSHD_MUTATIONS, *PEOPLE, *NETWORK, *FILES, *RECORDS]
