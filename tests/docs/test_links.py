"""The pages are sound: links and anchors lead somewhere, commands exist, code blocks parse."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")
SOURCE = re.compile(r"(?:src|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[`$;&|]\s*)make ((?:[A-Za-z-]+=\S*\s+)*)([a-z][a-z-]*)", re.MULTILINE)


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("This is not a git checkout, so it cannot be told which pages belong to the project.")
    return [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name and (ROOT / name).is_file()]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, by GitHub's rule."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+?)\s*#*$", FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[`*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        number = 0
        while (f"{slug}-{number}" if number else slug) in found:
            number += 1
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken_links(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    prose = FENCE.sub("", text)
    problems = []
    for target in LINK.findall(re.sub(r"`[^`\n]*`", "", prose)) + SOURCE.findall(prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        if not place.exists():
            problems.append(f"{page.name}: '{target}' leads nowhere")
        elif anchor and place.suffix == ".md" and anchor not in anchors(place.read_text(encoding="utf-8")):
            problems.append(f"{page.name}: '{target}' names no heading of {place.name}")
    return problems


def unsound_blocks(page: Path) -> list[str]:
    problems = []
    for language, body in FENCE.findall(page.read_text(encoding="utf-8")):
        try:
            if language == "python":
                ast.parse(body)
            elif language == "json":
                json.loads(body)
        except (ValueError, SyntaxError) as error:
            problems.append(f"{page.name}: {error} in:\n{body}")
    return problems


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def unknown_commands(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    code = [body for language, body in FENCE.findall(text) if language in {"", "sh", "bash", "console"}]
    code += re.findall(r"`(make [^`\n]+)`", FENCE.sub("", text))
    named = {target for piece in code for _, target in COMMAND.findall(piece)}
    return [f"{page.name}: 'make {name}' does not exist" for name in sorted(named - make_targets())]


def test_every_link_leads_to_a_file_and_a_heading_that_are_there():
    assert [problem for page in pages() for problem in broken_links(page)] == []


def test_every_code_block_parses():
    assert [problem for page in pages() for problem in unsound_blocks(page)] == []


def test_every_make_command_on_a_page_exists():
    assert [problem for page in pages() for problem in unknown_commands(page)] == []


def test_the_checks_themselves_find_faults(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n[a](missing.md) [b](#two) [c](#one)\n```python\ndef\n```\n```json\n{,}\n```\n"
        "`make nothing-of-the-kind` and `make test`\n",
        encoding="utf-8",
    )
    assert len(broken_links(page)) == 2
    assert len(unsound_blocks(page)) == 2
    assert unknown_commands(page) == ["page.md: 'make nothing-of-the-kind' does not exist"]
