"""The mutations of the roles node, datasets and jupyter."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file, unit

ZIPAPP = "/usr/local/lib/sparkfleet/spark-node.pyz"
STRAY = "$(echo /opt/sparkfleet/node/lib/*/site-packages)/stray-1.0.dist-info"
SYNC = "sparkfleet-datasets.service"
JUPYTER = "sparkfleet-jupyter.service"
CONFIG, TOKEN = "/etc/sparkfleet/jupyter/jupyter_server_config.py", "/etc/sparkfleet/jupyter/token"
ANSWERS = "until (echo > /dev/tcp/127.0.0.1/8888) 2>/dev/null; do sleep 0.1; done"
RESTART = f"systemctl restart {JUPYTER}; timeout 90 bash -c '{ANSWERS}'"
# Not served: while tailscaled has the port on the tailnet's address, nobody gets it on every address.
EVERYWHERE = f"/opt/sparkfleet/jupyter/bin/jupyter lab --config={CONFIG} --ServerApp.ip=0.0.0.0"

NODE = [
    Mutation(
        "NODE-01",
        "the package is gone",
        f"mv {ZIPAPP} {ZIPAPP}.kept",
        f"mv {ZIPAPP}.kept {ZIPAPP}",
        "fails",
        ("DATASETS-02",),
    ),
    Mutation(
        "NODE-02",
        "a package that nobody locked",
        f"d={STRAY}; mkdir $d; printf 'Name: stray\\nVersion: 1.0\\n' > $d/METADATA",
        f"rm -r {STRAY}",
        "not in its lock: stray==1.0",
    ),
    Mutation(
        "NODE-03",
        "anybody may change what runs",
        "chmod o+w /opt/sparkfleet/node/pyvenv.cfg",
        "chmod o-w /opt/sparkfleet/node/pyvenv.cfg",
        "pyvenv.cfg",
    ),
]

DATASETS = [
    Mutation(
        "DATASETS-01",
        "nobody looks for new versions",
        "systemctl --quiet disable sparkfleet-datasets.timer",
        "systemctl --quiet enable sparkfleet-datasets.timer",
        "disabled, active",
        ("BASE-12",),
    ),
    unit(
        "DATASETS-02",
        "a sync that fails",
        SYNC,
        "[Service]\\nExecStart=\\nExecStart=false\\n",
        "exit-code, code 1",
        "BASE-09",
        then=f"systemctl start {SYNC} || true",
    ),
    unit(
        "DATASETS-03",
        "the sync may do all that root may",
        SYNC,
        "[Service]\\nCapabilityBoundingSet=~\\nNoNewPrivileges=no\\n",
        "capabilities, no new privileges",
    ),
    Mutation(
        "DATASETS-04",
        "data that anybody changes",
        "touch /var/lib/sparkfleet/datasets/stray; chmod 666 /var/lib/sparkfleet/datasets/stray",
        "rm /var/lib/sparkfleet/datasets/stray",
        "./stray",
    ),
]

JUPYTERS = [
    Mutation(
        "JUPYTER-01",
        "JupyterLab is stopped",
        f"systemctl stop {JUPYTER}",
        RESTART,
        "inactive",
        ("BASE-12", "JUPYTER-06"),
    ),
    unit(
        "JUPYTER-02",
        "JupyterLab is open to everybody",
        JUPYTER,
        f"[Service]\\nExecStartPost=\\nExecStart=\\nExecStart={EVERYWHERE}\\n",
        "(jupyter-lab)",
        "ACCESS-18",
        "JUPYTER-03",
        "JUPYTER-06",
        then=RESTART,
    ),
    file(
        "JUPYTER-03",
        "no token is asked for",
        CONFIG,
        "sed -i 's/^c.IdentityProvider.token = .*/c.IdentityProvider.token = \"\"/' $f",
        "nobody: 200",
        then=RESTART,
    ),
    Mutation("JUPYTER-04", "a token for everybody", f"chmod 644 {TOKEN}", f"chmod 600 {TOKEN}", "0644"),
    Mutation(
        "JUPYTER-05",
        "the check is where IPython does not look",
        "mv ~alice/.ipython/profile_default/startup/00-sparkfleet.py ~alice/.ipython/",
        "mv ~alice/.ipython/00-sparkfleet.py ~alice/.ipython/profile_default/startup/",
        "missing",
    ),
    Mutation(
        "JUPYTER-06",
        "the tailnet does not reach it",
        "tailscale serve --yes --tcp 8888 off",
        "tailscale serve --bg --yes --tcp 8888 tcp://127.0.0.1:8888",
        "leads to nowhere",
    ),
]

MUTATIONS = [*NODE, *DATASETS, *JUPYTERS]
