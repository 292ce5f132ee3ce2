"""One page of one run or several."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from kinema.api.opening import Data, open_named
from kinema.core.errors import UsageError
from kinema.core.vocabulary import Vocabulary
from kinema.data.layouts import root_of
from kinema.data.video.decoding import decode_chunks
from kinema.data.video.pieces import decode_pieces
from kinema.protocols.table import PROTOCOLS
from kinema.recipes.table import ENCODERS
from kinema.reporting import Report, collect, with_strips, write_json, write_markdown, write_page
from kinema.training.run_folder import RunFolder


def report(
    *runs: str | PathLike[str], out: str | Path | None = None, data: Data | None = None, title: str | None = None
) -> tuple[Path, Report]:
    """One page that says whether it helped, from one run or several side by side.

    Args:
        *runs: the runs' folders, evaluated before with :func:`evaluate`.
        out: the page; by default report.html in the first run's folder. Its content goes beside it as .json, and as
            Markdown (.md).
        data: where the videos are, for the pictures of nearest neighbours; by default what the runs were trained on.
        title: the page's title.

    Raises:
        RunError: a folder is not a run.
    """
    folders = [RunFolder.open(Path(run)) for run in runs]
    if not folders:
        raise UsageError("No run was named.", "kinema report RUN [RUN …]")
    trained_on = folders[0].read("environment.json").get("data", "")
    root = open_named(data).root if data is not None else root_of(trained_on)
    page = Path(out) if out is not None else folders[0].path / "report.html"
    collected = collect(folders, vocabulary(), RunFolder.open, title=title)
    found = with_strips(collected, lambda path: _strip(root / path))
    write_page(found, page)
    write_json(found, page.with_suffix(".json"))
    write_markdown(found, page.with_suffix(".md"))
    return page, found


def vocabulary() -> Vocabulary:
    """What a report calls encoders and protocols: the rows of their tables."""
    return Vocabulary(ENCODERS, PROTOCOLS)


def _strip(video: Path, frames: int = 5) -> list[Any]:
    """A few frames along a video, for a picture of it; no more of it is held at a time."""
    count = sum(len(part) for part in decode_chunks(video, short_side=8, motion=False, chunk=64))
    wanted = [round((count - 1) * i / (frames - 1)) for i in range(frames)]
    found = decode_pieces(video, pixels=wanted, short_side=72, seek=False).pixels
    return [found[number] for number in wanted]
