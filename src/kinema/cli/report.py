"""``kinema report``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kinema.cli.terminal import make_parser, parse, print_json, show_report


def run(given: list[str]) -> int:
    """The verb ``kinema report``."""
    parser = make_parser("report")
    parser.add_argument("runs", type=str, nargs="+", help="one or several runs' folders")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="the page; RUN/report.html by default")
    args = parse(parser, given)
    from kinema import api
    from kinema.reporting import recipes, rows

    page, report = api.report(*args.runs, out=args.out)
    if args.json:
        advice: dict[str, Any] = {
            "keep": report.advice.sentence,
            "next": list(report.advice.steps),
            "recipes": recipes(report),
        }
        advice["differences"] = [asdict(each) for each in report.differences]
        print_json({"rows": rows(report), **advice, "report": str(page)})
    else:
        show_report(report, page)
    return 0
