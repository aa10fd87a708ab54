"""The mutations of what hosts share the label loop's work by, and of the loop's containers."""

from __future__ import annotations

from tests.e2e.mutation import DROP_IN, Mutation, file, unit

RAY, FOLDER = "sparkfleet-ray.service", "/var/lib/sparkfleet/ray"
SERVER = "sparkfleet-container@store.service"
COMPOSE, SETTINGS = "/etc/sparkfleet/images/compose.yaml", "/etc/sparkfleet/images/settings.env"
# Its machine's part is the last to listen.
RESTART = f"systemctl restart {RAY}; until ss -Hlt sport = :9822 | grep -q .; do sleep 0.2; done"
AGAIN = (
    f"systemctl restart {SERVER}; "
    "until docker ps --quiet --filter name=sparkfleet-store | grep -q .; do sleep 0.2; done"
)
CHANGED = (
    "from workloads.label.spreading import machine; words, given = machine.words, machine.environment; "
    "{}; machine.main()"
)


def ray(control: str, name: str, change: str, evidence: str, *also: str) -> Mutation:
    """Ray is started by a changed program for a while; no single quote in `change`."""
    drop_in, program = DROP_IN.format(unit=RAY), "/srv/stray.py"
    service = f"[Service]\\nExecStart=\\nExecStart=/opt/sparkfleet/ray/bin/python -P {program}\\n"
    done = (
        f"echo '{CHANGED.format(change)}' > {program}; mkdir -p $(dirname {drop_in}); "
        f"printf '%b' '{service}' > {drop_in}; systemctl daemon-reload; {RESTART}"
    )
    undone = f"rm -r {program} $(dirname {drop_in}); systemctl daemon-reload; {RESTART}"
    return Mutation(control, name, done, undone, evidence, also)


MUTATIONS = [
    ray(
        "LABEL-07",
        "Ray asks nobody",
        'machine.environment = lambda site: given(site) | {"RAY_AUTH_MODE": "disabled"}',
        "RAY_AUTH_MODE=disabled",
    ),
    Mutation(
        "LABEL-08",
        "Ray is open to the network",
        "nft insert rule inet sparkfleet input tcp dport 9820-9849 accept",
        "systemctl reload-or-restart sparkfleet-firewall",
        "the rules are: accept all",
        ("ACCESS-34",),
    ),
    ray(
        "LABEL-09",
        "Ray listens elsewhere",
        'machine.words = lambda *a: [w.replace("agent-port=9823", "agent-port=9799") for w in words(*a)]',
        ":9799",
        "ACCESS-18",
    ),
    ray(
        "LABEL-09",
        "Ray tells its makers",
        'machine.environment = lambda site: given(site) | {"RAY_USAGE_STATS_ENABLED": "1"}',
        "RAY_USAGE_STATS_ENABLED=1",
    ),
    unit("LABEL-10", "Ray is root", RAY, "[Service]\\nUser=root\\n", "('root', ", then=RESTART),
    Mutation(
        "LABEL-10",
        "anybody reaches its sockets",
        f"chmod 0755 {FOLDER}",
        f"chmod 0700 {FOLDER}",
        f"{FOLDER} is sparkfleet-label 755",
    ),
    file(
        "LABEL-11",
        "a container that may change itself",
        COMPOSE,
        "sed -i 's/read_only: true/read_only: false/' $f",
        "sparkfleet-store may write to its root",
        then=AGAIN,
    ),
    file(
        "LABEL-11",
        "a container of root's",
        COMPOSE,
        "sed -i 's/user: .*/user: \"0:0\"/' $f",
        "sparkfleet-store runs as root",
        then=AGAIN,
    ),
    file(
        "LABEL-12",
        "a container that takes all memory",
        COMPOSE,
        "sed -i '/mem_limit: .*STORE/d' $f",
        "sparkfleet-store has no limit of memory",
        then=AGAIN,
    ),
    file(
        "LABEL-13",
        "an image that somebody can move",
        SETTINGS,
        "sed -i 's/^\\(CONVERT_IMAGE=.*\\)@sha256.*/\\1:1/' $f",
        "job:1",
    ),
]
