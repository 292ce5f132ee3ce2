"""``kinema evaluate``: measures an encoder by a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinema.cli.terminal import make_parser, pairs, parse, print_json, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema evaluate``."""
    from kinema.protocols.table import PROTOCOLS, listing

    parser = make_parser("evaluate")
    parser.add_argument("protocol", type=str, help=", ".join(PROTOCOLS))
    parser.add_argument("run", type=str, help="the run's folder")
    parser.add_argument("data", type=str, help="labelled videos: a folder, a manifest, or NAME:PATH")
    parser.add_argument("--preset", type=str | None, default=None, help="the protocol's named settings, listed above")
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--views", type=str, nargs="+", default=None, help="the two views of cross-modal: rgb motion")
    parser.add_argument("--untrained", action="store_true", help="the run's encoder as it was before training")
    parser.add_argument("--query", type=str, nargs="+", default=None, help="KEY=VALUE of who asks or is tested")
    parser.add_argument("--gallery", type=str, nargs="+", default=None, help="KEY=VALUE of who is ranked or trained on")
    parser.add_argument("--shares", type=float, nargs="+", default=None, help="of the labels: 0.01 0.1")
    parser.add_argument("--draws", type=int | None, default=None, help="of few labels; 5 by default")
    parser.add_argument("--cache", type=str | None, default=None, help="where decoded videos are kept")
    parser.add_argument("--device", type=str | None, default=None, help="cpu or cuda")
    parser.add_argument("--out", type=str | None, default=None, help="where classifiers are trained; RUN/classifiers")
    usual: Any = None
    fits = [name for name, protocol in PROTOCOLS.items() if "fit" in protocol.takes]
    if given[:1] and given[0] in fits:
        from kinema.protocols.fit import FitConfig

        usual = FitConfig()
        parser.add_argument("--fit", type=FitConfig, default=usual)
    if {"-h", "--help"} & set(given):
        print(f"'kinema evaluate {fits[0]} --help' and so on also list how classifiers are trained.\n")
        print(f"protocols, each with its presets:\n{listing()}\n")
    asked = parser.instantiate(parse(parser, given))
    from kinema import api

    results = api.evaluate(
        asked.protocol,
        asked.run,
        asked.data,
        preset=asked.preset,
        view=asked.view,
        views=asked.views,
        untrained=asked.untrained,
        query=pairs(asked.query, "--query"),
        gallery=pairs(asked.gallery, "--gallery"),
        shares=asked.shares,
        draws=asked.draws,
        fit=asked.fit if usual is not None and asked.fit != usual else None,
        out=asked.out,
        cache=asked.cache,
        device=asked.device,
        console=stderr_console(),
    )
    _show_results(results, asked.json)
    return 0


def _show_results(results: Sequence[Any], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "protocol": r.protocol,
                "preset": r.preset,
                "data": r.data,
                "metrics": dict(r.metrics),
                "seconds": r.seconds,
            }
            | {"encoder": r.encoder, "view": r.view, "selection": r.details.get("selection", "")}
            for r in results
        ]
        print_json(rows[0] | ({"parts": rows} if len(rows) > 1 else {}))
    else:
        for r in results:
            figures = "  ".join(f"{name} {value:.3f}" for name, value in r.metrics.items())
            print(f"{r.encoder} · {r.view} · {r.protocol} ({r.preset}) {r.details.get('selection', '')}: {figures}")
