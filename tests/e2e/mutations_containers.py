"""The mutations of the roles containers and ollama."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file, unit

DAEMON = "/etc/docker/daemon.json"
RUNTIME = "/etc/nvidia-container-runtime"  # absent on a stand-in
# Python under another name: the process is called as its file.
NAMED = (
    "cp $(readlink -f /usr/bin/python3) /var/tmp/{name}; systemd-run --quiet --unit=stray /var/tmp/{name} "
    "-m http.server {port}; until ss -H -lt sport = :{port} | grep -q .; do sleep 0.1; done"
)
END = "systemctl stop stray; rm /var/tmp/{name}"
PUBLISHED = "type nat hook prerouting priority dstnat; tcp dport 8888 dnat to 127.0.0.1"
RESTART = "systemctl restart ollama; until ss -H -lt sport = :11434 | grep -q .; do sleep 0.1; done"

CONTAINERS = [
    file(
        "CONTAINERS-01", "somebody takes CDI away", DAEMON, 'sed -i "/cdi/s/true/false/g" $f', "/features/cdi is false"
    ),
    file(
        "CONTAINERS-02",
        "a library of an earlier driver",
        "/run/cdi/nvidia.yaml",
        'sed -i "s,libnvidia-ml.so.1,libnvidia-ml.so.570," $f',
        "libnvidia-ml.so.570",
    ),
    Mutation(
        "CONTAINERS-03",
        "an engine from before its settings",
        "systemd-run --quiet --collect --unit=docker sleep infinity; "
        f" cp -p {DAEMON} /var/tmp/kept; touch -d '1 hour' {DAEMON}",
        f"systemctl stop docker; mv /var/tmp/kept {DAEMON}",
        "daemon.json is newer than the engine",
    ),
    Mutation(
        "CONTAINERS-04",
        "an engine on the network",
        NAMED.format(name="dockerd", port=2375),
        END.format(name="dockerd"),
        "0.0.0.0:2375 (dockerd)",
        ("ACCESS-18", "ACCESS-20"),
    ),
    Mutation(
        "CONTAINERS-05",
        "a published port",
        f"nft 'table ip stray {{ chain pre {{ {PUBLISHED}; }}; }}'",
        "nft delete table ip stray",
        "published to everybody: 8888",
        ("ACCESS-20",),
    ),
    Mutation(
        "CONTAINERS-06",
        "somebody is root by the engine",
        "groupadd docker; usermod -aG docker nobody",
        "groupdel docker",
        "without sudo: nobody",
    ),
    Mutation(
        "CONTAINERS-07",
        "a login in plain text",
        'mkdir -p /root/.docker; echo "{\\"auths\\": {\\"r\\": {\\"auth\\": 1}}}" > /root/.docker/config.json',
        "rm -r /root/.docker",
        "/root/.docker/config.json",
    ),
    Mutation(
        "CONTAINERS-08",
        "the old mode",
        f"mkdir -p {RUNTIME}; echo 'mode = \"legacy\"' > {RUNTIME}/config.toml",
        f"rm -r {RUNTIME}",
        "mode is legacy",
    ),
]

OLLAMA = [
    Mutation("OLLAMA-01", "it is stopped", "systemctl stop ollama", RESTART, "enabled, inactive", ("BASE-12",)),
    unit(
        "OLLAMA-02",
        "it listens for everybody",
        "ollama.service",
        "[Service]\\nEnvironment=OLLAMA_HOST=0.0.0.0:11434\\n",
        "everybody can use it",
        "ACCESS-18",
        "ACCESS-20",
        then=RESTART,
    ),
    unit(
        "OLLAMA-03",
        "it asks nobody",
        "ollama.service",
        "[Service]\\nExecStartPre=\\n",
        "before its start runs: nothing",
    ),
]

MUTATIONS = [*CONTAINERS, *OLLAMA]
