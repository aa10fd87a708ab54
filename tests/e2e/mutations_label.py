"""The mutations of the role label."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, unit

JOB, EXPORTER = "spark-node-label@.service", "sparkfleet-roi-exporter.service"
TIMER = "sparkfleet-label@drill-prepare.timer"  # of the project of the drill
USER, WORKSPACE = "sparkfleet-label", "/var/lib/sparkfleet/label"

MUTATIONS = [
    unit("LABEL-01", "documents meet root", JOB, "[Service]\\nUser=root\\n", "it runs as root"),
    Mutation(
        "LABEL-02",
        "the loop may command containers",
        f"groupadd --force stray; usermod --append --groups stray {USER}",
        f"gpasswd --delete {USER} stray; groupdel stray",
        f"its groups are {USER} stray",
    ),
    unit(
        "LABEL-03",
        "the loop gets another secret",
        JOB,
        "[Service]\\nLoadCredential=stray:/etc/sparkfleet/console-password\\n",
        "stray",
    ),
    Mutation(
        "LABEL-04",
        "texts that anybody changes",
        f"touch {WORKSPACE}/stray; chmod 666 {WORKSPACE}/stray",
        f"rm {WORKSPACE}/stray",
        "./stray",
    ),
    Mutation(
        "LABEL-05",
        "nobody tells the figures",
        f"systemctl stop {EXPORTER}",
        f"systemctl start {EXPORTER}",
        "inactive",
        ("BASE-12",),
    ),
    Mutation(
        "LABEL-06",
        "nobody wakes the nights",
        f"systemctl --quiet disable {TIMER}",
        f"systemctl --quiet enable {TIMER}",
        "disabled",
        ("BASE-12",),
    ),
    unit(
        "LABEL-06",
        "nights at another time",
        TIMER,
        "[Timer]\\nOnCalendar=\\nOnCalendar=monthly\\n",
        "*-*-01",
    ),
]
