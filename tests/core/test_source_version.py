"""Which commit a run says that it comes from."""

import subprocess

import pytest

import kinema
from kinema.core import version
from kinema.core.version import source_version


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with kinema's source and figures beside it; kinema is found in it."""
    source = tmp_path / "src" / "kinema" / "core" / "version.py"
    figures = tmp_path / "benchmarks" / "results" / "figures.json"
    for file in (source, figures, tmp_path / "benchmarks" / "measure.py"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("first\n")
    monkeypatch.setattr(version, "__file__", str(source))
    return tmp_path


def commit(folder):
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
    told = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], check=True, capture_output=True, text=True)
    return told.stdout.strip()


def test_outside_a_repository_it_is_the_release(repository):
    assert source_version() == kinema.__version__


def test_a_plus_says_that_the_source_was_changed_and_nothing_else(repository):
    first = commit(repository)
    (repository / "benchmarks" / "measure.py").write_text("second\n")
    assert source_version() == first
    (repository / "src" / "kinema" / "core" / "version.py").write_text("second\n")
    assert source_version() == first + "+"


def test_further_files_count_where_they_are_named(repository):
    first, also = commit(repository), (":(top)benchmarks", ":(top,exclude)benchmarks/results")
    (repository / "benchmarks" / "results" / "figures.json").write_text("second\n")
    assert source_version(*also) == first
    (repository / "benchmarks" / "measure.py").write_text("second\n")
    assert source_version(*also) == first + "+"
