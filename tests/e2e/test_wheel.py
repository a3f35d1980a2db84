"""The wheel in an empty environment: the command, the four packages and their data."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import PORTS, ROOT, free_port

DATA = """
import hub, connectors, schemas, streams, sys
from importlib.resources import files
wanted = {
    "hub": ["kafka-pom.xml", "web/templates/dashboard.html", "web/static/live.js", "web/vendor/htmx.min.js",
            "locale/vi/LC_MESSAGES/messages.po", "locale/en/LC_MESSAGES/messages.po"],
    "connectors": ["departments/portal.yaml", "departments/feedback-1022.yaml"],
    "schemas": ["avro/administration/dossier.avsc", "avro/citizen/feedback.avsc", "codes/procedure.csv"],
    "streams": ["kpis/dossier.yaml", "kpis/feedback.yaml"],
}
missing = [f"{name}/{path}" for name, paths in wanted.items() for path in paths if not (files(name) / path).is_file()]
assert not missing, missing
from hub.config import Settings
from hub.declarations import load_declarations
declared = load_declarations(Settings())
assert {"dossier", "feedback"} <= set(declared.contracts), declared
assert len(declared.manifests) == 2, declared
print(hub.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and what it needs by the lock."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv is not None, "uv is missing: make setup installs it"
    python = str(folder / "venv" / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", python, "-c", str(ROOT / "requirements.lock")]
    subprocess.run([*install, f"{wheel}[embedded]"], check=True, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"})
    return folder / "venv" / "bin"


def run(installed: Path, folder: Path, *arguments: str, program: str = "ioc") -> subprocess.CompletedProcess[str]:
    """A program of the environment, in a folder of its own, with nothing of ours around it."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "IOC_LANG": "en",
        **{f"IOC_{name}__PORT": str(free_port()) for name in PORTS},
    }
    return subprocess.run(
        [str(installed / program), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_packages_and_their_data_are_there(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "-c", DATA, program="python")
    assert done.returncode == 0, done.stderr
    assert "site-packages" in done.stdout


def test_the_command_tells_its_version_and_helps(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "--version").stdout == "ioc 0.1.0\n"
    assert "Examples:" in run(installed, tmp_path, "--help").stdout


def test_the_doctor_names_the_missing_jars_and_their_cure(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "doctor", "-o", "csv")
    assert done.returncode == 3
    assert "ioc kafka fetch" in done.stdout
    assert "node" not in done.stdout


def test_up_offers_to_fetch_kafkas_jars(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "up", "--wait")
    assert done.returncode == 1
    assert "Kafka's jars are missing. Fetch them with: ioc kafka fetch" in done.stderr


def test_the_demonstration_says_that_it_needs_a_clone(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "demo")
    assert done.returncode == 2
    assert "needs a clone" in done.stderr
