"""What the site needs beyond the files of docs/: pages from elsewhere, the reference, links that hold in both places.

The pages are written for GitHub, where a link names a file of the repository. Nothing is copied by hand: README,
results, changelog and contributing are taken from where they lie, each room of the source gets a page of reference, and
a link to a file becomes a link to its page, to its module in the reference, or to the file itself, which is then taken
along. A link to what is not there is left as it is, and the strict build refuses it.

MkDocs calls the functions whose names begin with ``on_``; the rest needs nothing of it.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
FROM_ELSEWHERE = {
    "index.md": "README.md",
    "results.md": "benchmarks/README.md",
    **{f"results/{page.name}": f"benchmarks/pages/{page.name}" for page in sorted(ROOT.glob("benchmarks/pages/*.md"))},
    "mocap-first-edition.md": "benchmarks/mocap-first-edition.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "changelog.md": "CHANGELOG.md",
}
"""Pages of the site and the files of the repository that they are."""

CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?P<open>\]\(<?|(?:src|href)=\")(?P<target>[^)>\s\"]+)")
NO_FILE = re.compile(r"[a-z]+:|#|/")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fills in the folders of the navigation, and makes anchors as GitHub does."""
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": slug}
    assert config.nav is not None
    config.nav = filled(config.nav, [*sorted(reference()), *own_pages(Path(config.docs_dir))])
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages from elsewhere, the reference, and the files that pages link to."""
    from mkdocs.structure.files import File

    for uri, origin in FROM_ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / origin)))
    for uri, text in reference().items():
        files.append(File.generated(config, uri, content=text))
    for name in sorted(set(linked_files(files))):
        files.append(File.generated(config, taken_along(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs calls
    """Turns the links of a page into those of the site."""
    uri = page.file.src_uri
    return rewritten(markdown, lambda target: site_link(uri, target))


def slug(heading: str, separator: str) -> str:
    """A heading's anchor, by GitHub's rule."""
    plain = re.sub(r"<[^>]*>|[`*]", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", separator)


def own_pages(docs: Path) -> list[str]:
    """The pages of docs/, by name."""
    return sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))


def named(nav: Any) -> Iterator[str]:
    """Every page and folder that a navigation names, in order."""
    if isinstance(nav, str):
        yield nav
    for item in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from named(item)


def filled(nav: list[Any], pages: list[str]) -> list[Any]:
    """A navigation with each folder replaced by its pages that are named nowhere else."""
    known = set(named(nav))

    def fill(items: list[Any]) -> list[Any]:
        out: list[Any] = []
        for item in items:
            if isinstance(item, str) and item.endswith("/"):
                out += [page for page in pages if page.startswith(item) and page not in known]
            elif isinstance(item, dict):
                out.append({title: fill(v) if isinstance(v, list) else v for title, v in item.items()})
            else:
                out.append(item)
        return out

    return fill(nav)


def rewritten(markdown: str, change: Callable[[str], str]) -> str:
    """The text with every link outside of code changed."""

    def links(text: str) -> str:
        return LINK.sub(lambda match: match["open"] + change(match["target"]), text)

    pieces, end = [], 0
    for code in CODE.finditer(markdown):
        pieces += [links(markdown[end : code.start()]), code.group()]
        end = code.end()
    return "".join([*pieces, links(markdown[end:])])


def in_repository(uri: str, target: str) -> tuple[str, str]:
    """The file of the repository that a link on a page names, and the anchor with its sign."""
    origin = FROM_ELSEWHERE.get(uri, f"docs/{uri}")
    name, sign, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), name)), sign + anchor


def site_link(uri: str, target: str) -> str:
    """Where a link leads on the site, relative to its page."""
    if NO_FILE.match(target) or uri.startswith("reference/"):
        return target
    name, anchor = in_repository(uri, target)
    homes = {origin: home for home, origin in FROM_ELSEWHERE.items()}
    if name in homes:
        goal = homes[name] + anchor
    elif name.startswith("docs/"):
        goal = name.removeprefix("docs/") + anchor
    elif is_module(name):
        goal = f"reference/{room(name)}.md#{dotted(name)}"
    elif (ROOT / name).is_file():
        goal = taken_along(name)
    else:
        return target
    return posixpath.relpath(goal, posixpath.dirname(uri) or ".")


def linked_files(files: Files) -> Iterator[str]:
    """The files of the repository that pages link to and that are no pages."""
    for file in files.documentation_pages():
        if file.src_uri.startswith("reference/"):
            continue
        found: list[str] = []
        rewritten(file.content_string, lambda target, found=found: found.append(target) or target)  # type: ignore[misc]
        for target in found:
            name = "" if NO_FILE.match(target) else in_repository(file.src_uri, target)[0]
            page = name in FROM_ELSEWHERE.values() or name.startswith("docs/") or is_module(name)
            if name and not page and (ROOT / name).is_file():
                yield name


def taken_along(name: str) -> str:
    """Where a linked file lies on the site; one without an ending gets one, so that a browser shows it."""
    return f"files/{name}" if Path(name).suffix else f"files/{name}.txt"


def is_module(name: str) -> bool:
    """Whether a file of the repository is a module of kinema."""
    return name.startswith("src/kinema/") and name.endswith(".py")


def dotted(name: str) -> str:
    """The module in a file: src/kinema/data/clips/store.py is kinema.data.clips.store."""
    parts = Path(name).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    """The page of reference that holds a module: that of its room. ``python -m kinema`` is the command line's."""
    part = Path(name).parts[2]
    return "cli" if part == "__main__.py" else part


def reference() -> dict[str, str]:
    """The pages of reference: the public face, then a page a room with all of its modules."""
    modules = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "src/kinema").rglob("*.py"))
    rooms: dict[str, list[str]] = {}
    for name in modules:
        if name != "src/kinema/__init__.py":
            rooms.setdefault(room(name), []).append(name)
    face = [f"::: kinema.{name}" for name in public_names()]
    told = "What `import kinema` gives. All else, by room: [the architecture](../architecture.md) says what each holds."
    pages = {"reference/index.md": "\n\n".join(["# The public face", told, *face]) + "\n"}
    for place, names in rooms.items():
        pages[f"reference/{place}.md"] = (
            "\n\n".join([f"# kinema.{place}", *(f"::: {dotted(name)}" for name in names)]) + "\n"
        )
    return pages


def public_names() -> dict[str, str]:
    """The names of the public face and the modules they live in, read and not imported: functions first."""
    tree = ast.parse((ROOT / "src/kinema/__init__.py").read_text(encoding="utf-8"))
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_HOMES"
    )
    homes: dict[str, str] = ast.literal_eval(table)
    return dict(sorted(homes.items(), key=lambda item: (item[0][0].isupper(), item[0])))
