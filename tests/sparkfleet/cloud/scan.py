"""A folder of plans → what checkov finds in each, as JSON on stdout. Run by the Python of the environment `checkov`.

python scan.py FOLDER. One process for all plans, because loading checkov takes longer than any of them; its own command
would ask a service of its maker for explanations.
"""

from __future__ import annotations

import json
import os
import sys

os.environ.setdefault("LOG_LEVEL", "ERROR")

from checkov.runner_filter import RunnerFilter
from checkov.terraform.plan_runner import Runner

report = Runner().run(root_folder=sys.argv[1], runner_filter=RunnerFilter(framework=["terraform_plan"]))
json.dump(
    {
        "failed": [[check.file_path, check.check_id, check.resource] for check in report.failed_checks],
        "passed": [[check.file_path, check.check_id, check.resource] for check in report.passed_checks],
        "unread": report.parsing_errors,
    },
    sys.stdout,
)
