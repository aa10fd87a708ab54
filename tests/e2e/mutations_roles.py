"""The mutations of the roles base, tailnet, exporter and monitor, and the controls for which a stand-in has none."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file, stray, unit

APT = "/etc/apt/apt.conf.d/99stray"
JOURNALD = "/etc/systemd/journald.conf.d/99-stray.conf"
EXPORTER, PROMETHEUS = "sparkfleet-gb10-exporter.service", "/etc/prometheus/prometheus.yml"
RESTART = "systemctl restart sparkfleet-gb10-exporter"
READ_ANEW = "systemctl reload prometheus"
# A reload returns before the rules are read, and until then Prometheus goes on sending what they said.
RULES_SAID = 'urllib.request.urlopen("http://127.0.0.1:9090/api/v1/rules").read().decode()'
FORGOTTEN = (
    "systemctl stop prometheus-alertmanager; systemctl reload prometheus; "
    f'until python3 -c \'import urllib.request, sys; sys.exit("name\\":\\"Watchdog" in {RULES_SAID})\'; '
    "do sleep 0.1; done; "
    "systemctl start prometheus-alertmanager"
)
RULES = "/etc/prometheus/rules/gb10-alerts.yml"
FLAGS = "systemctl restart prometheus; until ss -H -lt sport = :9090 | grep -q .; do sleep 0.1; done"

# Control → why nothing can be broken for it here.
NOT_HERE = {
    "BASE-02": "a stand-in's clock is the outer machine's: the check is skipped in containers",
    "TAILNET-07": "the lab's control server ends a node's key at once or never, and then the node is gone",
    "GRAFANA-01": "Grafana can be had in no lab: its package is not among those that a stand-in gets",
    "GRAFANA-02": "the same",
    "GRAFANA-03": "the same",
}

BASE = [
    Mutation(
        "BASE-01",
        "another time zone",
        "ln -sfn /usr/share/zoneinfo/Europe/Berlin /etc/localtime",
        "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime",
        "Europe/Berlin",
    ),
    stray("BASE-03", "a smaller journal", JOURNALD, "[Journal]\\nSystemMaxUse=1M\\n", "SystemMaxUse is 1M"),
    Mutation(
        "BASE-04/net.ipv4.conf.all.accept_redirects",
        "a kernel setting",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=0",
        "is 1, described is 0",
    ),
    stray(
        "BASE-05",
        "updates may touch the driver",
        APT,
        "#clear Unattended-Upgrade::Package-Blacklist;\\n",
        "nvidia-driver-580-open",
    ),
    stray("BASE-06", "no updates", APT, 'APT::Periodic::Unattended-Upgrade "0";\\n', "Unattended-Upgrade is"),
    stray(
        "BASE-07", "updates from everywhere", APT, 'Unattended-Upgrade::Origins-Pattern:: "origin=*";\\n', "origin=*"
    ),
    stray(
        "BASE-08", "updates reboot", APT, 'Unattended-Upgrade::Automatic-Reboot "true";\\n', "Automatic-Reboot is true"
    ),
    Mutation(
        "BASE-09",
        "a unit that fails",
        "systemd-run --quiet --unit=stray false; until systemctl is-failed --quiet stray; do sleep 0.1; done",
        "systemctl reset-failed stray",
        "failed: stray.service",
    ),
    file(
        "BASE-10",
        "another driver",
        "/var/lib/gb10/sys/module/nvidia/version",
        "echo 590.44.01 > $f",
        "the driver is 590.44.01",
        "GPU-02",
        "GPU-03",
        "GPU-05",
    ),
    Mutation(
        "BASE-11",
        "a secret for everybody",
        "chmod 0644 /etc/sparkfleet/s3.json",
        "chmod 0600 /etc/sparkfleet/s3.json",
        "/etc/sparkfleet/s3.json: root:root 0644",
    ),
    Mutation(
        "BASE-12",
        "a service that stands still",
        "systemctl stop sparkfleet-rotation-dates.timer",
        "systemctl start sparkfleet-rotation-dates.timer",
        "sparkfleet-rotation-dates.timer is enabled, inactive",
    ),
    stray("BASE-13", "a journal in memory", JOURNALD, "[Journal]\\nStorage=volatile\\n", "Storage is volatile"),
    file("BASE-14", "a module that can be loaded", "/etc/modprobe.d/sparkfleet.conf", "sed -i /tipc/d $f", "tipc"),
]

TAILNET = [
    Mutation(
        "TAILNET-01",
        "tailscaled does not come back",
        "systemctl --quiet disable tailscaled",
        "systemctl --quiet enable tailscaled",
        "disabled",
    ),
    Mutation(
        "TAILNET-02",
        "the node has another name",
        "tailscale set --hostname=stray",
        "tailscale set --hostname=$(hostname)",
        "it is called stray",
    ),
    Mutation(
        "TAILNET-03",
        "an address that is not the host's",
        'cp -p "$STACK" "$STACK.kept"; sed -i "s/^\\( *- \\)$ADDRESS$/&\\n\\1100.127.0.1/" "$STACK"',
        'mv "$STACK.kept" "$STACK"',
        "100.127.0.1",
        ("ACCESS-20",),
        at="controller",
    ),
    Mutation(
        "TAILNET-04",
        "a node that routes",
        "tailscale set --advertise-routes=192.0.2.0/24",
        "tailscale set --advertise-routes=",
        "AdvertiseRoutes",
    ),
    Mutation(
        "TAILNET-05",
        "the tailnet's names",
        "tailscale set --accept-dns=true",
        "tailscale set --accept-dns=false",
        "DNS is accepted",
    ),
    Mutation(
        "TAILNET-06",
        "an identity for everybody",
        "chmod o+rx /var/lib/tailscale",
        "chmod o-rx /var/lib/tailscale",
        "/var/lib/tailscale is root:root 0705",
    ),
    file(
        "TAILNET-08",
        "another port",
        "/etc/default/tailscaled",
        "sed -i 's/^PORT=.*/PORT=\"41777\"/' $f",
        "it uses 41777",
        then="systemctl restart tailscaled; tailscale wait",
    ),
]

EXPORTERS = [
    Mutation(
        "EXPORTER-01",
        "the exporter is stopped",
        f"systemctl stop {EXPORTER}",
        f"systemctl start {EXPORTER}",
        "inactive",
    ),
    unit(
        "EXPORTER-02",
        "the exporter is root",
        EXPORTER,
        "[Service]\\nDynamicUser=no\\nUser=root\\n",
        "runs as root",
        then=RESTART,
    ),
    Mutation(
        "EXPORTER-03",
        "the exporter tells another size of memory",
        "cp -r /var/lib/gb10/proc /var/tmp/stray; sed -i 's/^MemTotal:.*/MemTotal: 1024 kB/' /var/tmp/stray/meminfo; "
        f"mkdir -p /run/systemd/system/{EXPORTER}.d; systemctl cat {EXPORTER} | "
        "sed -n 's#^\\(ExecStart=.*--path.procfs=\\)[^ ]*#[Service]\\nExecStart=\\n\\1/stray#p' "
        f"> /run/systemd/system/{EXPORTER}.d/99-stray.conf; "
        f"echo BindReadOnlyPaths=/var/tmp/stray:/stray >> /run/systemd/system/{EXPORTER}.d/99-stray.conf; "
        f"systemctl daemon-reload; {RESTART}",
        f"rm -r /var/tmp/stray /run/systemd/system/{EXPORTER}.d; systemctl daemon-reload; {RESTART}",
        "the kernel has",
    ),
    Mutation(
        "EXPORTER-04",
        "nobody reads what only root may",
        "systemctl stop sparkfleet-gb10-privileged.timer",
        "systemctl start sparkfleet-gb10-privileged.timer",
        "does not run",
    ),
]

MONITORS = [
    Mutation(
        "MONITOR-01",
        "Alertmanager is stopped",
        "systemctl stop prometheus-alertmanager",
        "systemctl start prometheus-alertmanager",
        "no answer",
    ),
    file(
        "MONITOR-02",
        "Prometheus is open to everybody",
        "/etc/default/prometheus",
        "sed -i s/127.0.0.1:9090/:9090/ $f",
        ":9090 (prometheus)",
        then=FLAGS,
    ),
    file(
        "MONITOR-03",
        "an exporter that is not scraped",
        PROMETHEUS,
        'sed -i \'/job_name: gb10/,/job_name: host/{s/"spark-01"/"spark-99"/}\' $f',
        "spark-01 is not a target",
        then=READ_ANEW,
    ),
    file(
        "MONITOR-04",
        "an alert that is missing",
        "/etc/prometheus/rules/gb10-alerts.yml",
        "sed -i 's/alert: Gb10Hot$/alert: Gb10Warm/' $f",
        "Gb10Hot is not loaded",
        then=READ_ANEW,
    ),
    file(
        "MONITOR-05",
        "alerts go nowhere",
        PROMETHEUS,
        "sed -i s/127.0.0.1:9093/127.0.0.1:9193/ $f",
        "Prometheus knows",
        "MONITOR-06",
        then=READ_ANEW,
    ),
    Mutation(
        "MONITOR-06",
        "the alert that always fires does not",
        f"f={RULES}; cp -p $f /var/tmp/kept; sed -i 's/alert: Watchdog$/alert: Watchcat/' $f; {FORGOTTEN}",
        f"mv /var/tmp/kept {RULES}; {READ_ANEW}; systemctl restart prometheus-alertmanager",
        "no Watchdog",
        ("MONITOR-04",),
    ),
    file(
        "MONITOR-07",
        "samples are thrown away early",
        "/etc/default/prometheus",
        'sed -i "s/retention.time=[0-9a-z]*/retention.time=1d/" $f',
        "are kept for 1d",
        then=FLAGS,
    ),
    file(
        "MONITOR-08",
        "a host that nobody probes",
        PROMETHEUS,
        'sed -i \'/job_name: host_icmp/,/job_name: host_ssh/{s/"spark-01"/"spark-99"/}\' $f',
        "host_icmp does not probe spark-01",
        then=READ_ANEW,
    ),
]

MUTATIONS = [*BASE, *TAILNET, *EXPORTERS, *MONITORS]
