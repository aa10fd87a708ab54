"""The kernel settings that every Spark gets: dev-sec and CIS, less what would break one.

Each deviation stands in docs/decisions/0013-hardening.md. A value that Ubuntu's own files in /usr/lib/sysctl.d or
/etc/sysctl.d set after ours (99-protect-links.conf) is taken from there: at boot theirs would win.
"""

from __future__ import annotations

FILES_AND_PROCESSES = {
    "fs.protected_fifos": "1",
    "fs.protected_hardlinks": "1",
    "fs.protected_regular": "2",
    "fs.protected_symlinks": "1",
    "fs.suid_dumpable": "0",
    "kernel.dmesg_restrict": "1",  # the exporter reads the kernel's log with CAP_SYSLOG
    "kernel.kptr_restrict": "1",  # not 2: perf and Nsight Systems, as root, name kernel functions
    "kernel.randomize_va_space": "2",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "1",  # not 2: cuda-gdb starts what it debugs
}
NETWORK = {
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.tcp_rfc1337": "1",
    "net.ipv4.tcp_syncookies": "1",
}
# Of "all" and of "default", from which an interface that comes later (tailscale0, a container's) takes its own.
OF_EACH_INTERFACE = {
    "ipv4": {
        "accept_redirects": "0",
        "accept_source_route": "0",
        "log_martians": "1",
        # Loose: a ConnectX-7 pair on two subnets, and Tailscale's subnet routes, lose packets under CIS' strict mode.
        "rp_filter": "2",
        "secure_redirects": "0",
        "send_redirects": "0",
    },
    "ipv6": {"accept_redirects": "0", "accept_source_route": "0"},
}
# Left alone on purpose: ip_forward and forwarding (containers), accept_ra (addresses by SLAAC), arp_* (ConnectX-7 with
# several addresses), kexec_load_disabled (kdump), perf_event_paranoid (Nsight), sysrq (Ubuntu's 176 syncs and reboots a
# host that is stuck).
SYSCTLS = {
    **FILES_AND_PROCESSES,
    **NETWORK,
    **{
        f"net.{family}.conf.{scope}.{name}": value
        for family, settings in OF_EACH_INTERFACE.items()
        for scope in ("all", "default")
        for name, value in settings.items()
    },
}
