"""The site: every page in its navigation, links that hold there too, and nothing fetched to read it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"?(?:https?:)?//[^>]*|<link\b[^>]*>", re.IGNORECASE
)


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs/site_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def config():
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def fetched(html):
    """What a browser would fetch from elsewhere to show a page."""
    tags = OUTSIDE.findall(html)
    return [tag for tag in tags if not tag.startswith("<link") or re.search(r"href=\"?(?:https?:)?//", tag)]


def test_every_page_is_in_the_navigation_once_and_nothing_else(hooks, config):
    pages = [*hooks.own_pages(ROOT / "docs"), *hooks.reference()]
    found = list(hooks.named(hooks.filled(config["nav"], pages)))
    assert sorted(found) == sorted([*pages, *hooks.FROM_ELSEWHERE])


def test_a_folder_in_the_navigation_is_what_is_named_nowhere_else(hooks):
    nav = [{"How": ["a/one.md", "a/", "b.md"]}, {"Home": "index.md"}]
    pages = ["a/one.md", "a/three.md", "a/two.md", "b.md", "c/one.md"]
    assert hooks.filled(nav, pages) == [{"How": ["a/one.md", "a/three.md", "a/two.md", "b.md"]}, {"Home": "index.md"}]


@pytest.mark.parametrize(
    ("page", "target", "expected"),
    [
        ("index.md", "docs/methods/cpr.md", "methods/cpr.md"),
        ("index.md", "docs/images/views.png", "images/views.png"),
        ("index.md", "benchmarks/README.md", "results.md"),
        ("index.md", "LICENSE", "files/LICENSE.txt"),
        ("results.md", "../docs/methods/cpr.md#how-it-fails", "methods/cpr.md#how-it-fails"),
        ("results.md", "pages/mining.md", "results/mining.md"),
        ("results/mining.md", "../../docs/methods/cpr.md", "../methods/cpr.md"),
        ("results/mining.md", "../results/charts/mining.svg", "../files/benchmarks/results/charts/mining.svg"),
        ("methods/moco.md", "cpr.md", "cpr.md"),
        ("methods/moco.md", "../../benchmarks/README.md", "../results.md"),
        ("methods/moco.md", "../../src/kinema/methods/moco.py", "../reference/methods.md#kinema.methods.moco"),
        ("architecture.md", "../src/kinema/core/__init__.py", "reference/core.md#kinema.core"),
        ("architecture.md", "../src/kinema/api/pretraining.py", "reference/api.md#kinema.api.pretraining"),
        ("datasets/layouts.md", "../../README.md#your-own-data", "../index.md#your-own-data"),
        ("methods/moco.md", "#the-idea", "#the-idea"),
        ("methods/moco.md", "https://arxiv.org/abs/1911.05722", "https://arxiv.org/abs/1911.05722"),
        ("methods/moco.md", "../../nothing.txt", "../../nothing.txt"),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(hooks, page, target, expected):
    assert hooks.site_link(page, target) == expected


def test_links_in_code_are_left_alone(hooks):
    text = 'See [a](x.md) and `[b](x.md)` and <img src="x.png">:\n```text\n[c](x.md)\n```\n![d](<x.png>)\n'
    wanted = 'See [a](!) and `[b](x.md)` and <img src="!">:\n```text\n[c](x.md)\n```\n![d](<!>)\n'
    assert hooks.rewritten(text, lambda target: "!") == wanted


def test_the_reference_begins_with_the_public_face_and_holds_every_module(hooks):
    import kinema

    pages = hooks.reference()
    assert set(re.findall(r"^::: kinema\.(\w+)$", pages["reference/index.md"], re.MULTILINE)) == set(kinema.__all__)
    told = {name for page in pages.values() for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE)}
    files = {hooks.dotted(p.relative_to(ROOT).as_posix()) for p in (ROOT / "src/kinema").rglob("*.py")} - {"kinema"}
    assert files <= told


def test_what_is_fetched_from_elsewhere_is_seen():
    page = '<link rel="icon" href="a.png"><a href="https://x.org"></a><script src="a.js"></script>'
    assert fetched(page) == []
    assert (
        len(fetched(page + '<link rel=stylesheet href=https://x.org/a.css><script src="//x.org/a.js"></script>')) == 2
    )


@pytest.mark.slow
@pytest.mark.timeout(660)
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = {path.relative_to(tmp_path / "site").as_posix(): path for path in tmp_path.glob("site/**/*.html")}
    assert len(pages) > 20
    assert {
        name: fetched(path.read_text(encoding="utf-8")) for name, path in pages.items() if path.name != "404.html"
    } == {name: [] for name in pages if name != "404.html"}
    results = pages["results.html"].read_text(encoding="utf-8")
    assert 'href="results/mining.html"' in results
    assert "CPR, 4 stages" in pages["results/mining.html"].read_text(encoding="utf-8")
    hands = pages["results/hand-signs.html"].read_text(encoding="utf-8")
    assert 'href="../methods/cpr.html#how-it-fails"' in hands
    assert 'id="kinema.pretrain"' in pages["reference/index.html"].read_text(encoding="utf-8")
    assert 'id="kinema.methods.moco.MoCo"' in pages["reference/methods.html"].read_text(encoding="utf-8")
