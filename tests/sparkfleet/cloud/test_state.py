"""The stack that makes the place for a fleet's state: what it asks for, in an account (mocked) and on the premises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf import json_format

from sparkfleet import config
from sparkfleet.cloud import checks, policies, state_access
from sparkfleet.cloud.state import provide_state
from sparkfleet.errors import ConfigError
from sparkfleet.model import Fleet
from tests.sparkfleet.cloud.recorded import ACCOUNT, REGION, Answers
from tests.sparkfleet.recorder import Recorder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_aws")

CHECKOUT = Path(__file__).resolve().parents[3]
GOLDEN = CHECKOUT / "tests" / "golden" / "cloud"
AWS = {"provider": "aws", "aws": {"region": REGION, "bucket_prefix": "demo-ml"}}
STORE = {
    "provider": "onprem",
    "onprem": {
        "endpoint": "https://store.example.org:7070",
        "iam_endpoint": "https://store.example.org:7071",
        "admin": "env:ADMIN",
    },
}
CLOUDS = {"aws": AWS, "onprem": STORE}


def fleet(cloud: dict[str, Any]) -> Fleet:
    """A fleet with this store, whose controller's folder is nobody's."""
    return Fleet.model_validate(
        {
            "fleet": "demo",
            "controller": {"folder": "/controller"},
            "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}},
            "cloud": cloud,
        }
    )


def asked(described: Fleet) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Every resource with its inputs, policies as data; and what is exported."""
    recorder = Recorder(Answers())
    pulumi.runtime.set_mocks(recorder.mocks, project="sparkfleet-state", stack="office", monitor=recorder)
    told: dict[str, str] = {}

    @pulumi.runtime.test
    def program() -> Any:
        return pulumi.Output.all(**provide_state(described)).apply(told.update)

    program()
    return [_plain(*key, request) for key, request in sorted(recorder.registered.items())], told


def _plain(typ: str, name: str, request: Any) -> dict[str, Any]:
    inputs = json_format.MessageToDict(request.object)
    inputs.pop("__provider", None)
    policy = inputs.get("policy")
    if policy:
        inputs["policy"] = json.loads(policy)
    kept = {"protect": request.protect, "retain": request.retainOnDelete}
    return {"type": typ, "name": name, **kept, "inputs": inputs}


@pytest.mark.parametrize("provider", CLOUDS)
def test_the_whole_graph_is_the_reviewed_one(provider: str, request: pytest.FixtureRequest) -> None:
    """Every resource, its inputs and its protection, word for word (--update-golden writes it anew)."""
    file = GOLDEN / f"state_{provider}.json"
    found, _ = asked(fleet(CLOUDS[provider]))
    if request.config.getoption("--update-golden"):
        file.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")

    assert found == json.loads(file.read_text())


def test_what_people_type_next_is_told() -> None:
    """The address for `pulumi login`, and where its key comes from; on AWS the key that guards secrets."""
    _, account = asked(fleet(AWS))
    _, store = asked(fleet(STORE))

    assert account["backend"] == f"s3://demo-ml-state?region={REGION}"
    assert account["secrets_provider"] == f"awskms://alias/sparkfleet-demo-state?region={REGION}"
    assert json.loads(account["operator_policy"])["Statement"][0]["Resource"] == "arn:aws:s3:::demo-ml-state/.pulumi/*"
    assert store["backend"].startswith(
        "s3://demo-state?region=us-east-1&endpoint=https%3A%2F%2Fstore.example.org%3A7070"
    )
    assert store["profile"].splitlines()[-1] == 'credential_process = cat "/controller/secrets/s3/state.json"'


def test_bucket_and_key_of_the_account_pass_our_own_checks() -> None:
    """The same judgement as the fleet's own account gets, and no exception for this one."""
    found, _ = asked(fleet(AWS))
    resources = [
        checks.Asked(
            each["type"],
            each["name"],
            {key: json.dumps(value) if key == "policy" else value for key, value in each["inputs"].items()},
            protected=each["protect"],
            outlives=each["retain"],
        )
        for each in found
    ]

    assert checks.faults(resources) == []
    assert {each["type"] for each in found if each["protect"] and each["retain"]} == {
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
    }


def test_the_roles_of_the_fleet_are_shut_out_by_name() -> None:
    """Whatever somebody allows them later: hosts and Calypso do nothing with the state, and nobody deletes history."""
    found, _ = asked(fleet(AWS))
    [policy] = [each["inputs"]["policy"] for each in found if each["type"] == "aws:s3/bucketPolicy:BucketPolicy"]
    rules = {rule["Sid"]: rule for rule in policy["Statement"]}

    assert set(rules) == {"TlsOnly", "DenyOtherEncryption", "DenyOtherKey", "NobodyDeletesHistory", "HostsStayOut"}
    assert {rule["Effect"] for rule in rules.values()} == {"Deny"}
    assert rules["HostsStayOut"]["Condition"]["ArnEquals"]["aws:PrincipalArn"] == [
        f"arn:aws:iam::{ACCOUNT}:role/demo-calypso",
        f"arn:aws:iam::{ACCOUNT}:role/demo-hosts",
    ]


def test_who_keeps_the_state_can_do_nothing_else() -> None:
    """Objects below .pulumi/ and a list: no version, no setting of the bucket, no other bucket."""
    document = state_access.operator_access(policies.bucket_arn("demo-state"))
    actions = {action for rule in document["Statement"] for action in [rule["Action"]] if isinstance(action, str)}
    lists = [rule["Action"] for rule in document["Statement"] if isinstance(rule["Action"], list)]

    assert actions == {"s3:ListBucket"}
    assert lists == [["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]]


def test_a_store_without_tls_gets_no_rule_that_would_shut_everybody_out() -> None:
    """What speaks http cannot refuse it; the history is protected all the same."""
    plain = state_access.bucket_policy("arn:aws:s3:::demo-state", tls=False)

    assert [rule["Sid"] for rule in plain["Statement"]] == ["NobodyDeletesHistory"]


def test_without_a_store_the_fault_says_what_to_do() -> None:
    """`provider: none` has nothing to keep a state in."""
    with pytest.raises(ConfigError, match=r"cloud\.provider: none"):
        provide_state(fleet({"provider": "none"}))


def test_no_host_has_the_name_of_the_states_own_identity() -> None:
    """Its key file would be the host's."""
    raw = fleet(STORE).model_dump(mode="json", exclude_unset=True)
    raw["hosts"] = {"state": raw["hosts"]["spark-01"]}
    with pytest.raises(ConfigError, match=r"hosts\.state: "):
        config.parse(raw)


PROGRAM = """
import runpy, sys
import pulumi
from pulumi.runtime.mocks import Mocks
class Answers(Mocks):
    def new_resource(self, args): return args.name, dict(args.inputs)
    def call(self, args): return {}
pulumi.runtime.set_mocks(Answers(), project="sparkfleet-state", stack="office")
pulumi.runtime.test(lambda: runpy.run_path(sys.argv[1]) and None)()
print(sorted(m for m in ("boto3", "pulumi_aws") if m in sys.modules))
"""


def test_the_program_reads_the_description_of_the_stack_with_its_name(tmp_path: Path) -> None:
    """One description for both stacks; without an account no cloud library is loaded."""
    (tmp_path / "bootstrap").mkdir()
    program = tmp_path / "bootstrap" / "__main__.py"
    program.write_text((CHECKOUT / "bootstrap" / "__main__.py").read_text())

    def run() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, str(program)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    absent = run()
    raw = fleet(STORE).model_dump(mode="json", exclude_unset=True)
    (tmp_path / "Pulumi.office.yaml").write_text(
        json.dumps({"config": {f"sparkfleet:{key}": value for key, value in raw.items()}})
    )
    present = run()

    assert "Pulumi.office.yaml: no such file" in absent.stderr
    assert present.stdout.strip() == "[]", present.stderr
