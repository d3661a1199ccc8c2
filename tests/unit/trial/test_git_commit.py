"""The commit of the working folder's repository: told as git tells it, and nothing of the repository is run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from genbench.trial import git_commit

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
OWN = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *author, *words], cwd=folder, env=os.environ | OWN, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "deep" / "er").mkdir(parents=True)
    git(folder, "init")
    (folder / "model.py").write_text("one\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def head(folder: Path) -> str:
    return git(folder, "rev-parse", "HEAD")[:12]


@needs_git
def test_a_commit_is_marked_where_tracked_files_differ_from_it(repository: Path) -> None:
    clean = head(repository)
    assert git_commit.of(repository) == git_commit.of(repository / "deep" / "er") == clean
    (repository / "results.csv").write_text("untracked")
    os.utime(repository / "model.py", (1, 1))
    assert git_commit.of(repository) == clean, "the content alone counts"
    (repository / "model.py").write_text("two\n")
    assert git_commit.of(repository) == f"{clean}+"
    git(repository, "commit", "-am", "second")
    assert git_commit.of(repository) == head(repository) != clean
    (repository / "model.py").unlink()
    assert git_commit.of(repository) == f"{head(repository)}+"


@needs_git
@pytest.mark.parametrize("how", ["packed", "detached", "worktree"])
def test_wherever_git_keeps_it(how: str, repository: Path) -> None:
    place = repository
    if how == "packed":
        git(repository, "tag", "v1")
        git(repository, "pack-refs", "--all")
        assert not (repository / ".git/refs/heads/main").exists()
    if how == "detached":
        git(repository, "checkout", "--detach")
    if how == "worktree":
        place = repository.parent / "other"
        git(repository, "worktree", "add", str(place))
        (repository / "model.py").write_text("changed here, not there")
    assert git_commit.of(place) == head(place)
    (place / "model.py").write_text("changed")
    assert git_commit.of(place) == f"{head(place)}+"


def test_there_is_none_outside_a_repository_and_before_the_first_commit(tmp_path: Path) -> None:
    assert git_commit.of(tmp_path) is None
    (tmp_path / ".git").mkdir()
    assert git_commit.of(tmp_path) is None
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    assert git_commit.of(tmp_path) is None


@needs_git
def test_without_git_the_commit_alone_is_known(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = head(repository)
    monkeypatch.setenv("PATH", str(repository / "deep"))
    assert git_commit.of(repository) == f"{commit}?"


@needs_git
def test_git_that_takes_too_long_is_not_waited_for(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, tools = head(repository), repository.parent / "tools"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git_commit, "PATIENCE", 0.05)
    assert git_commit.of(repository) == f"{commit}?"


@needs_git
def test_nothing_that_a_repository_names_is_run(repository: Path) -> None:
    ran = repository.parent / "ran"
    script = repository.parent / "script"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (repository / ".git/info").mkdir(exist_ok=True)
    (repository / ".git/info/attributes").write_text("* filter=evil\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "attributes")
    for name in ("filter.evil.clean", "filter.evil.process", "core.fsmonitor", "core.pager", "diff.external"):
        git(repository, "config", name, str(script))
    git(repository, "config", "core.hooksPath", str(repository.parent))
    for name in ("post-index-change", "fsmonitor-watchman"):
        shutil.copy(script, repository / ".git/hooks" / name)
    (repository / "model.py").write_text("six\n")
    git_commit.of(repository)
    assert git_commit.of(repository) == f"{(repository / '.git/refs/heads/main').read_text()[:12]}+"
    assert not ran.exists()
    subprocess.run(["git", "status"], cwd=repository, env=os.environ | OWN, capture_output=True, timeout=60)
    assert ran.exists(), "git by itself runs them: the test would notice"


@pytest.mark.parametrize(
    "written",
    [
        "ref: refs/heads/../../../secret",
        "ref: /etc/passwd",
        "ref: refs/heads/main",
        "z" * 40,
        "\xff\x00",
        "a" * 10_000_000,
    ],
)
def test_what_anyone_may_have_written_is_read_with_care(written: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a" * 40)
    (tmp_path / "folder/.git/refs/heads").mkdir(parents=True)
    (tmp_path / "folder/.git/refs/heads/main").symlink_to(tmp_path / "secret")
    (tmp_path / "folder/.git/HEAD").write_text(written, "latin-1")
    assert git_commit.of(tmp_path / "folder") is None
