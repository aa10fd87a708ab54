"""The zipapp: the same bytes each time, all that it needs, and it runs without the environment it came from."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sparkfleet.errors import SparkfleetError
from sparkfleet.host.bundle import zipapp_bytes

CHECKOUT = Path(__file__).resolve().parents[3]
LIBRARIES = ["pynvml", "prometheus_client"]
SHARED = ["exporters.web"]
INTERPRETERS = [path for name in ("python3.11", "python3.12", "python3.13") if (path := shutil.which(name))]


def names(packed: bytes) -> list[str]:
    """What is in a zipapp."""
    return zipfile.ZipFile(io.BytesIO(packed)).namelist()


@pytest.fixture(scope="module")
def packed() -> bytes:
    """The exporter's."""
    return zipapp_bytes(CHECKOUT, "exporters.gb10", LIBRARIES, SHARED)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the exporters elsewhere, with other times and left-overs of Python beside it."""
    shutil.copytree(CHECKOUT / "exporters", tmp_path / "exporters", copy_function=shutil.copyfile)
    (tmp_path / "exporters/gb10/__pycache__").mkdir(exist_ok=True)
    (tmp_path / "exporters/gb10/__pycache__/x.cpython-311.pyc").write_bytes(b"x")
    for path in tmp_path.rglob("*.py"):
        os.utime(path, (1, 1))
    return tmp_path


def test_the_same_content_gives_the_same_bytes(packed: bytes, copy: Path) -> None:
    """Another folder, other file times and stray .pyc files change no byte."""
    assert zipapp_bytes(copy, "exporters.gb10", LIBRARIES, SHARED) == packed


def test_other_content_gives_other_bytes(packed: bytes, copy: Path) -> None:
    """One changed line of one module shows."""
    with (copy / "exporters/gb10/readings.py").open("a") as file:
        file.write("# another line\n")
    assert zipapp_bytes(copy, "exporters.gb10", LIBRARIES, SHARED) != packed


def test_it_holds_code_and_licences_and_nothing_else(packed: bytes) -> None:
    """Modules of the package, of the libraries, and licence texts; no byte code, no dist-info."""
    found = names(packed)
    assert found == sorted(found)
    assert {
        "__main__.py",
        "exporters/__init__.py",
        "exporters/gb10/sampler.py",
        "exporters/web/server.py",
        "pynvml.py",
    } <= set(found)
    assert "licences/prometheus_client/LICENSE" in found
    assert not [name for name in found if not name.endswith(".py") and not name.startswith("licences/")]


def test_dashboards_and_the_capture_kit_stay_behind(copy: Path) -> None:
    """What is used at a desk is not on the host, however much of it there is."""
    for name in ("dashboards", "capture"):
        (copy / "exporters/gb10" / name).mkdir(exist_ok=True)
        (copy / "exporters/gb10" / name / "more.py").write_text("")
    found = names(zipapp_bytes(copy, "exporters.gb10", LIBRARIES, SHARED))
    assert not [name for name in found if name.startswith(("exporters/gb10/dashboards", "exporters/gb10/capture"))]


def test_packing_imports_nothing_of_it() -> None:
    """A fresh interpreter that packs has loaded neither the exporter nor its libraries."""
    program = (
        "import sys; from pathlib import Path; from sparkfleet.host.bundle import zipapp_bytes\n"
        f"zipapp_bytes(Path({str(CHECKOUT)!r}), 'exporters.gb10', {LIBRARIES!r}, {SHARED!r})\n"
        "sys.exit(bool({'exporters', 'pynvml', 'prometheus_client'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_library_is_named() -> None:
    """The error says which library, and what to do."""
    with pytest.raises(SparkfleetError, match="no_such_library") as error:
        zipapp_bytes(CHECKOUT, "exporters.gb10", ["no_such_library"])
    assert "requirements" in error.value.next_step


def test_a_package_without_a_main_is_refused(tmp_path: Path) -> None:
    """Nothing is packed that could not run."""
    with pytest.raises(SparkfleetError, match=r"holds no __main__\.py"):
        zipapp_bytes(tmp_path, "exporters.gb10", [])


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_it_runs_isolated(interpreter: str, packed: bytes, tmp_path: Path) -> None:
    """`python3 -I FILE --once` works on every Python here from 3.11 to 3.13, without the project's environment."""
    works = subprocess.run([interpreter, "-I", "-c", ""], check=False, capture_output=True)
    if works.returncode:
        pytest.skip(f"{interpreter} is no interpreter here")
    file = tmp_path / "exporter.pyz"
    file.write_bytes(packed)
    done = subprocess.run([interpreter, "-I", str(file), "--once"], check=True, capture_output=True, text=True, cwd="/")
    assert "sparkfleet_gb10_memory_available_bytes" in done.stdout
