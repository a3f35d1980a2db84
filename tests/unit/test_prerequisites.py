"""The set-up's first line when a prerequisite is missing: which, and the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import ROOT

SCRIPT = ROOT / "deploy" / "setup" / "prerequisites.sh"
TOOLS = ("sh", "sed", "head", "id")
JAVA_17 = "#!/bin/sh\necho 'openjdk version \"17.0.15\" 2025-04-15' >&2\n"
JAVA_11 = "#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n"
NOTHING = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory of programs, as PATH: everything that is needed."""
    for tool in TOOLS:
        (tmp_path / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "java").write_text(JAVA_17)
    for program in ("mvn", "node", "npm"):
        (tmp_path / program).write_text(NOTHING)
    for program in ("python3", "java", "mvn", "node", "npm"):
        (tmp_path / program).chmod(0o755)
    return tmp_path


def check(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    shell = str(machine / "sh")
    return subprocess.run(
        [shell, str(SCRIPT), *arguments], env={"PATH": str(machine)}, capture_output=True, text=True, check=False
    )


def test_nothing_is_said_where_nothing_is_missing(machine: Path) -> None:
    done = check(machine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("program", "named", "package"),
    [
        ("python3", "Python 3.11+", "python3 python3-venv"),
        ("java", "Java 17+", "openjdk-17-jre-headless"),
        ("mvn", "Maven", "maven"),
        ("node", "Node + npm", "nodejs npm"),
        ("npm", "Node + npm", "nodejs npm"),
    ],
)
def test_the_first_line_names_what_is_missing_and_its_cure(
    machine: Path, program: str, named: str, package: str
) -> None:
    (machine / program).unlink()
    done = check(machine)
    first = done.stdout.splitlines()[0]
    assert done.returncode == 2
    assert named in first
    assert f"apt-get install -y {package}" in first


def test_an_old_java_does_not_count(machine: Path) -> None:
    (machine / "java").write_text(JAVA_11)
    assert "Java 17+" in check(machine).stdout


def test_an_old_python_does_not_count_and_a_newer_one_beside_it_does(machine: Path) -> None:
    shutil.move(machine / "python3", machine / "python3.11")
    (machine / "python3").write_text("#!/bin/sh\nexit 1\n")
    (machine / "python3").chmod(0o755)
    assert check(machine).returncode == 0
    found = check(machine, "--python").stdout.strip()
    assert (
        subprocess.run([found, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False).returncode == 0
    )


def test_all_that_is_missing_comes_in_one_command(machine: Path) -> None:
    (machine / "java").unlink()
    (machine / "mvn").unlink()
    assert "apt-get install -y openjdk-17-jre-headless maven" in check(machine).stdout
