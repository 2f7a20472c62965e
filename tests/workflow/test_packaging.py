"""The image and the conda files: pinned, the same versions as requirements.txt, and nothing named that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.paths import REPOSITORY

ENVS = sorted((REPOSITORY / "envs").glob("*.yaml"))
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)$", re.MULTILINE)


def pins(*names: str) -> dict[str, str]:
    """Return package → version of requirements files; every line that names one must pin it."""
    found: dict[str, str] = {}
    for name in names:
        text = (REPOSITORY / name).read_text()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        assert len(lines) == len(PIN.findall(text)), f"{name}: a package without a version"
        found |= {package.lower(): version for package, version in PIN.findall(text)}
    return found


@pytest.mark.parametrize("path", ENVS, ids=lambda path: path.stem)
def test_a_conda_file_pins_what_the_workflow_was_tested_with(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    assert set(content) == {"channels", "dependencies"}
    assert content["channels"][-1] == "nodefaults"
    *conda, last = content["dependencies"]
    assert conda == ["python =3.11", "pip"]
    tested = pins("requirements.txt")
    for line in last["pip"]:
        package, version = PIN.fullmatch(line).groups()
        assert tested[package.lower()] == version, package


def test_every_rule_names_a_conda_file_that_is_there() -> None:
    named = {
        name
        for path in (REPOSITORY / "workflow" / "rules").glob("*.smk")
        for name in re.findall(r'"\.\./\.\./envs/(\w+\.yaml)"', path.read_text())
    }
    assert named == {path.name for path in ENVS}


def test_requirements_are_pinned_and_agree() -> None:
    run, cloud = pins("requirements.txt"), pins("requirements-cloud.txt")
    assert not run.keys() & cloud.keys()


def test_the_image_copies_what_is_there_and_lets_through() -> None:
    let_through = re.findall(r"^!(\S+)$", (REPOSITORY / ".dockerignore").read_text(), re.MULTILINE)
    copied = {
        name
        for words in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for name in words.replace("--chown=riskflow ", "").split()[:-1]
    }
    assert copied == set(let_through)
    assert all((REPOSITORY / name).exists() for name in copied)


def test_the_image_is_pinned_and_runs_without_rights() -> None:
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["riskflow"]
    assert "latest" not in DOCKERFILE
    installed = re.findall(r"pip install [^&]*", DOCKERFILE)
    assert len(installed) == 1
    assert set(re.findall(r"-r /tmp/(\S+)", DOCKERFILE)) == {"requirements.txt", "requirements-cloud.txt"}
