"""The version of kinema: its release, and the commit of its source where there is a repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

RELEASE = "0.1.0"


def source_version(*also: str) -> str:
    """The commit of kinema's source (with '+' where its files are changed), or its release outside a repository.

    Args:
        also: git pathspecs of further files whose changes count: ':(top)benchmarks'.
    """
    here = Path(__file__).resolve().parents[1]

    def git(*words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
        return subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=False, env=env)

    try:
        if git("ls-files", "--error-unmatch", __file__).returncode == 0:
            commit = git("describe", "--always", "--abbrev=12", "--exclude=*")
            changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *also)
            if commit.returncode == changed.returncode == 0:
                return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
    except OSError:
        pass
    return RELEASE
