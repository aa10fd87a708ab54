"""The program that keeps jobs on a host, with a stand-in for systemctl that runs a unit as systemd would."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.host import jobs as program
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

# Real systemd runs the unit in tests/e2e; here what it does for one: both streams into files, then ExecStopPost.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>$SPARKFLEET_ROOT/asked
job=$(echo "$*" | sed -n 's/.*spark-node[a-z-]*@\\(.*\\)[.]service.*/\\1/p')
folder=$SPARKFLEET_ROOT/var/lib/sparkfleet/jobs/$job
case $1 in
start)
    jobs="{python} -I {program}"
    ( EXIT_CODE=exited; $jobs run $job >>$folder/out 2>>$folder/err; EXIT_STATUS=$?
      export EXIT_CODE EXIT_STATUS; $jobs ended $job ) </dev/null >/dev/null 2>&1 &
    echo $! >$folder/pid ;;
show) kill -0 $(cat $folder/pid) 2>/dev/null && echo ActiveState=active || echo ActiveState=inactive ;;
esac
"""
VERB = '#!/bin/sh\necho "out: $*"; echo err >&2; exit ${CODE:-7}\n'


@dataclass(frozen=True)
class Host:
    """A root directory with a `spark-node` and a systemctl of our own."""

    root: Path

    def ask(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Call the program."""
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [sys.executable, "-I", program.__file__, *words],
            input=stdin, capture_output=True, text=True, check=False,
            env={**os.environ, "SPARKFLEET_ROOT": str(self.root), "PATH": path},
        )  # fmt: skip

    def answer(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """Its JSON."""
        done = self.ask(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def start(self, *words: str) -> str:
        """Start a verb; the job's name."""
        return str(self.answer("start", stdin=json.dumps({"words": words}))["id"])

    def end(self, job: str) -> dict[str, Any]:
        """Look from the start on until the job has ended."""

        def look() -> dict[str, Any]:
            found = self.answer("look", job, "0", "0")
            return {} if found["state"] == "running" else found

        return until(look, f"the end of {job}")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host without jobs."""
    for name, text in (
        ("bin/systemctl", SYSTEMCTL.format(python=sys.executable, program=program.__file__)),
        ("usr/local/bin/spark-node", VERB),
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return Host(tmp_path)


def test_a_job_keeps_both_streams_and_the_exit_code(host: Host) -> None:
    """Words come as they were given, blanks and all."""
    found = host.end(host.start("datasets", "sync", "--one", "a b"))

    said = {stream: base64.b64decode(found[stream]).decode() for stream in ("out", "err")}
    assert (found["state"], found["code"]) == ("ended", 7)
    assert said == {"out": "out: datasets sync --one a b\n", "err": "err\n"}


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        (("label", "run"), "spark-node-label@"),
        (("--", "label", "run"), "spark-node-label@"),
        (("datasets", "status", "label"), "spark-node@"),
    ],
)
def test_verbs_that_read_strangers_files_have_a_unit_of_their_own(
    host: Host, words: tuple[str, ...], unit: str
) -> None:
    """Whatever stands before the verb; from the start to the last look it is the same unit."""
    job = host.start(*words)
    host.end(job)

    asked = (host.root / "asked").read_text()
    assert {word.partition(job)[0] for word in asked.split() if job in word} == {unit}


def test_words_are_read_from_a_copy_where_root_s_folder_is_closed(host: Host, tmp_path: Path) -> None:
    """Systemd hands the request to a unit with a user of its own; root's file is not looked at."""
    (tmp_path / "given").mkdir()
    (tmp_path / "given/request").write_text('{"words": ["label", "status"]}')
    done = subprocess.run(
        [sys.executable, "-I", program.__file__, "run", "20261121-000000-0000"],
        env={"SPARKFLEET_ROOT": str(host.root), "CREDENTIALS_DIRECTORY": str(tmp_path / "given")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (7, "out: label status\n")


def test_a_job_that_no_unit_can_run_leaves_nothing(host: Host) -> None:
    """As on a host without the role: systemd's words come back, and no job is listed."""
    (host.root / "bin/systemctl").write_text(
        "#!/bin/sh\necho 'Unit spark-node-label@x.service not found.' >&2; exit 5\n"
    )

    done = host.ask("start", stdin='{"words": ["label"]}')

    assert (done.returncode, "not found" in done.stderr) == (1, True)
    assert host.answer("list")["jobs"] == []


def test_a_look_goes_on_from_an_offset(host: Host) -> None:
    """That is all that a lost connection needs."""
    job = host.start("x")
    host.end(job)

    assert base64.b64decode(host.answer("look", job, "5", "0")["out"]) == b"x\n"


def test_a_job_that_no_unit_runs_and_nobody_saw_end_is_lost(host: Host) -> None:
    """As after a power cut: its folder is there, its end is not."""
    job = "20261121-000000-0000"
    folder = host.root / "var/lib/sparkfleet/jobs" / job
    folder.mkdir(parents=True)
    for stream in program.STREAMS:
        (folder / stream).touch()

    assert host.answer("look", job, "0", "0")["state"] == "lost"


@pytest.mark.parametrize("job", ["../../../etc", "", "20261121-173000-0000", "a/b"])
def test_a_name_that_is_none_is_refused_with_a_message(host: Host, job: str) -> None:
    """Nothing outside of the jobs' folder is read."""
    done = host.ask("look", job, "0", "0")

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no job" in done.stderr


def test_jobs_are_listed_with_their_words_and_only_so_many_are_kept(host: Host) -> None:
    """A folder that grows for ever fills the disk; one that runs is never removed."""
    for number in range(program.KEPT_JOBS + 3):
        folder = host.root / f"var/lib/sparkfleet/jobs/20200101-000000-{number:04x}"
        folder.mkdir(parents=True)
        (folder / "request").write_text('{"words": ["old"], "started": 0}')
        if number:
            (folder / "ended").write_text('{"code": 0}')
    job = host.start("new")
    host.end(job)

    kept = host.answer("list")["jobs"]

    assert len(kept) <= program.KEPT_JOBS + 1
    assert (kept[0]["id"][-4:], kept[0]["state"]) == ("0000", "lost")
    assert (kept[-1]["id"], kept[-1]["words"], kept[-1]["code"]) == (job, ["new"], 7)


@pytest.mark.parametrize(("told", "code"), [(("exited", "6"), 6), (("killed", "KILL"), 137), (("dumped", "SEGV"), 139)])
def test_the_end_is_numbered_as_shells_do(host: Host, told: tuple[str, str], code: int) -> None:
    """Systemd tells a number or the name of a signal."""
    folder = host.root / "var/lib/sparkfleet/jobs/20261121-000000-0000"
    folder.mkdir(parents=True)
    words = [sys.executable, "-I", program.__file__, "ended", folder.name]
    subprocess.run(
        words, env={"SPARKFLEET_ROOT": str(host.root), "EXIT_CODE": told[0], "EXIT_STATUS": told[1]}, check=True
    )

    assert json.loads((folder / "ended").read_text())["code"] == code


def test_who_follows_a_job_ends_with_it(host: Host) -> None:
    """A timer's unit is there as long as its job, and good however that ended: the job's folder tells how."""
    done = host.ask("follow", "label", "due", "one-prepare")
    (job,) = host.answer("list")["jobs"]

    assert done.returncode == 0, done.stderr
    assert (job["words"], job["code"]) == (["label", "due", "one-prepare"], 7)


def test_who_is_ended_ends_the_job(host: Host) -> None:
    """Stopping the timer's unit stops the job, too: it would go on unseen."""
    (host.root / "usr/local/bin/spark-node").write_text("#!/bin/sh\nexec sleep 3\n")
    path = f"{host.root / 'bin'}:{os.environ['PATH']}"
    following = subprocess.Popen(
        [sys.executable, "-I", program.__file__, "follow", "label"],
        env={**os.environ, "SPARKFLEET_ROOT": str(host.root), "PATH": path},
    )
    until(lambda: [job for job in host.answer("list")["jobs"] if job["state"] == "running"], "the job")
    following.terminate()
    (job,) = host.answer("list")["jobs"]

    assert following.wait(10) == 1
    assert f"stop spark-node-label@{job['id']}.service" in (host.root / "asked").read_text()
