"""The code blocks of the pages, in order: what runs, what is a file, and what says why it does not run.

A line ``<!-- not run: REASON -->`` above a block excuses it. A line above it that begins with a file's name in bold
code makes the block that file's content or, if it is a diff, a change of it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

RUN = ("python", "sh", "bash")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
EXCUSE = re.compile(r"<!-- not run: (\S.*?) -->")
FILE = re.compile(r"\*\*`([\w./-]+)`\*\*")
COMMAND = re.compile(r"^\s*(?:\$ )?(?:kinema|python|pip|make|pytest|torchrun) ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block: where it stands, what it is, the file that it is, and why it is not run."""

    page: str
    line: int
    language: str
    body: str
    file: str = ""
    excuse: str = ""

    @property
    def place(self):
        return f"{self.page}:{self.line}"

    @property
    def runs(self):
        return self.language in RUN and not self.excuse and not self.file


def blocks_of(text, page):
    """Every block of a page, in order."""
    found, end = [], 0
    for fence in FENCE.finditer(text):
        above = [line.strip() for line in text[end : fence.start()].splitlines() if line.strip()]
        last = above[-1] if above else ""
        excuse, file = EXCUSE.fullmatch(last), FILE.match(last)
        line = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, line, fence[1], fence[2], file[1] if file else "", excuse[1] if excuse else ""))
        end = fence.end()
    return found


def faults_of(text, page):
    """Commands that no machine would run, and excuses that excuse nothing."""
    blocks = blocks_of(text, page)
    faults = [
        f"{block.place}: commands in a block that is not marked as sh"
        for block in blocks
        if block.language in ("", "console", "shell") and COMMAND.search(block.body)
    ]
    meant = len(re.findall(r"<!--\s*not run", text))
    used = sum(bool(block.excuse) for block in blocks)
    return faults + (
        [f"{page}: {meant} excuses, {used} of them above a block and with a reason"] if meant != used else []
    )


def needs_a_run(blocks):
    """Whether a page uses the run runs/first and does not train it itself."""
    code = "\n".join(block.body for block in blocks if block.runs)
    return "runs/first" in code and not re.search(r"out(?: |=\")runs/first", code)


def pages(root: Path):
    """README and every page of docs/, by name."""
    return ["README.md", *sorted(path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md"))]


def changed_by(text, diff):
    """A text with the changes of a diff, each hunk where its context stands once."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] if line[0] in " -" else line for line in lines if line[0] != "+")
        after = "".join(line[1:] if line[0] in " +" else line for line in lines if line[0] != "-")
        if lines:
            assert text.count(before) == 1, f"the context stands {text.count(before)} times:\n{before}"
            text = text.replace(before, after)
    return text
