"""The mutations of the role memory."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file, unit

RESERVE = "/proc/sys/vm/min_free_kbytes"

MUTATIONS = [
    file(
        "MEMORY-01",
        "the guard finds no figures",
        "/etc/sparkfleet/memguard.json",
        'sed -i \'s#"procfs": .*#"procfs": "/nowhere",#\' $f',
        "/nowhere/meminfo",
    ),
    file(
        "MEMORY-02",
        "people may do more than start the guard",
        "/etc/polkit-1/rules.d/50-sparkfleet-memguard.rules",
        'sed -i \'s/action.lookup("verb") == "start"/true/\' $f',
        "may stop spark-memguard@40G.service",
        then="systemctl try-restart polkit",
    ),
    unit("MEMORY-03", "the slice promises less", "sparkfleet.slice", "[Slice]\\nMemoryMin=64M\\n", "promises 64 MiB"),
    # A stand-in cannot set it: a file lies over it for a while.
    Mutation(
        "MEMORY-04",
        "a large reserve",
        f"echo 4194304 > /var/tmp/stray; mount --bind /var/tmp/stray {RESERVE}",
        f"umount {RESERVE}; rm /var/tmp/stray",
        "is 4096 MiB",
    ),
    Mutation(
        "MEMORY-05",
        "a misspelt unit",
        'cp -p "$STACK" "$STACK.kept"; sed -i "s/^\\( *serving:\\) \\[\\]$/\\1 [stray.service]/" "$STACK"',
        'mv "$STACK.kept" "$STACK"',
        "no stray.service",
        at="controller",
    ),
]
