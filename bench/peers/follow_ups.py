"""A file that changed → what has to happen then, for both peers, in words of the form "restart x.service"."""

from __future__ import annotations

# What has to happen after a file changed: the first prefix that fits. The same for both peers and as in our roles.
FOLLOW_UPS: dict[str, tuple[str, ...]] = {
    "/etc/sysctl.d/": ("load the kernel settings",),
    "/etc/systemd/journald.conf.d/": ("restart systemd-journald.service",),
    "/etc/ssh/sshd_config.d/": ("reload ssh.service",),
    "/etc/sparkfleet/firewall.nft": ("reload sparkfleet-firewall.service",),
    "/etc/sparkfleet/alignment.json": ("start sparkfleet-alignment.service",),
    "/etc/sparkfleet/memguard.json": ("start spark-memguard@check.service",),
    "/etc/sparkfleet/rotation.json": ("start sparkfleet-rotation-dates.service",),
    "/etc/systemd/system/sparkfleet-firewall.service": ("reload systemd", "reload sparkfleet-firewall.service"),
    "/etc/systemd/system/sparkfleet-alignment.service": ("reload systemd", "start sparkfleet-alignment.service"),
    "/etc/systemd/system/sparkfleet-alignment.timer": ("reload systemd", "restart sparkfleet-alignment.timer"),
    "/etc/systemd/system/sparkfleet-gpu.service": ("reload systemd", "start sparkfleet-gpu.service"),
    "/etc/systemd/system/sparkfleet-gpu.timer": ("reload systemd", "restart sparkfleet-gpu.timer"),
    "/etc/systemd/system/sparkfleet-rotation-dates.service": (
        "reload systemd",
        "start sparkfleet-rotation-dates.service",
    ),
    "/etc/systemd/system/sparkfleet-rotation-dates.timer": (
        "reload systemd",
        "restart sparkfleet-rotation-dates.timer",
    ),
    "/etc/systemd/system/sparkfleet-gb10-privileged.timer": (
        "reload systemd",
        "restart sparkfleet-gb10-privileged.timer",
    ),
    "/etc/systemd/system/prometheus.service.d/": ("reload systemd", "restart prometheus.service"),
    "/etc/systemd/system/prometheus-blackbox-exporter.service.d/": (
        "reload systemd",
        "restart prometheus-blackbox-exporter.service",
    ),
    "/etc/systemd/system/spark-memguard@.service": ("reload systemd", "start spark-memguard@check.service"),
    "/etc/systemd/system/sparkfleet-gb10-exporter.service": (
        "reload systemd",
        "restart sparkfleet-gb10-exporter.service",
    ),
    "/etc/systemd/system/": ("reload systemd",),
    "/etc/audit/rules.d/": ("load the audit rules",),
    "/usr/local/lib/sparkfleet/alignment-metrics.py": ("start sparkfleet-alignment.service",),
    "/usr/local/lib/sparkfleet/gpu-settings.py": ("start sparkfleet-gpu.service",),
    "/usr/local/lib/sparkfleet/memguard.pyz": ("start spark-memguard@check.service",),
    "/usr/local/lib/sparkfleet/rotation-dates.py": ("start sparkfleet-rotation-dates.service",),
    "/usr/local/lib/sparkfleet/gb10-exporter.pyz": ("restart sparkfleet-gb10-exporter.service",),
    "/etc/prometheus/alertmanager.yml": ("restart prometheus-alertmanager.service",),
    "/etc/prometheus/blackbox.yml": ("restart prometheus-blackbox-exporter.service",),
    "/etc/default/prometheus-alertmanager": ("restart prometheus-alertmanager.service",),
    "/etc/default/prometheus-blackbox-exporter": ("restart prometheus-blackbox-exporter.service",),
    "/etc/prometheus/": ("restart prometheus.service",),
    "/etc/default/prometheus": ("restart prometheus.service",),
}
# The order in which the handlers run.
HANDLERS = (
    "load the kernel settings",
    "load the audit rules",
    "reload systemd",
    "restart systemd-journald.service",
    "reload ssh.service",
    "reload sparkfleet-firewall.service",
    "start sparkfleet-alignment.service",
    "start sparkfleet-gpu.service",
    "start sparkfleet-rotation-dates.service",
    "start spark-memguard@check.service",
    "restart sparkfleet-alignment.timer",
    "restart sparkfleet-gpu.timer",
    "restart sparkfleet-rotation-dates.timer",
    "restart sparkfleet-gb10-privileged.timer",
    "restart sparkfleet-gb10-exporter.service",
    "restart prometheus-alertmanager.service",
    "restart prometheus-blackbox-exporter.service",
    "restart prometheus.service",
)
# Goes on where a container may not write; `sysctl --load` ends with an error there.
LOAD_KERNEL_SETTINGS = "/usr/lib/systemd/systemd-sysctl /etc/sysctl.d/60-sparkfleet.conf"
LOAD_AUDIT_RULES = "systemd-detect-virt --quiet --container || augenrules --load"  # a container has no audit
