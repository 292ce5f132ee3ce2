"""``kinema scan``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema scan``."""
    import time

    parser = make_parser("scan")
    parser.add_argument("videos", type=str, help="the folder, or NAME:PATH: ucf101:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the manifest here (.parquet, .json)")
    parser.add_argument(
        "--quarantine", type=str | None, default=None, help="write the files that are not whole here (.csv)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    asked = parse(parser, given)
    from pathlib import Path

    from kinema import api
    from kinema.data.video.summary import scan_json, scan_table, write_quarantine

    began = time.monotonic()
    console = stderr_console()
    with api.Steps("scanning", console) as progress:
        manifest = api.scan(asked.videos, out=asked.out, workers=asked.workers, progress=progress)
    if asked.quarantine is not None:
        write_quarantine(manifest, Path(asked.quarantine))
    if asked.json:
        print_json(scan_json(manifest, time.monotonic() - began))
    else:
        from rich.console import Console

        Console().print(scan_table(manifest))
    return 0 if any(video.health != "unreadable" for video in manifest.videos) else 1
