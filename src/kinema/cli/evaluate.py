"""``kinema evaluate``: measures an encoder by a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinema.cli.help import asked
from kinema.cli.terminal import add_device, describe_parts, make_parser, pairs, parse, print_json, stderr_console, under


def run(given: list[str]) -> int:
    """The verb ``kinema evaluate``."""
    from kinema.protocols.table import PROTOCOLS, listing

    parser = make_parser("evaluate")
    parser.add_argument("protocol", type=str, help=", ".join(PROTOCOLS))
    parser.add_argument("run", type=str, help="the run's folder")
    data = "labelled videos (a folder, a manifest, or NAME:PATH), sentences, features, tracklets, pairs or questions"
    parser.add_argument("data", type=str, help=data)
    parser.add_argument("--preset", type=str | None, default=None, help="the protocol's named settings, listed above")
    parser.add_argument(
        "--view", type=str | None, default=None, help="which view's encoder, or rgb+motion: both side by side"
    )
    parser.add_argument(
        "--views", type=str, nargs="+", default=None, help="the two views to compare, as in: rgb motion"
    )
    parser.add_argument("--untrained", action="store_true", help="the run's encoder as it was before training")
    parser.add_argument(
        "--query",
        type=str,
        nargs="+",
        default=None,
        help="the queries or test videos: KEY=VALUE, or a condition as of --where",
    )
    parser.add_argument("--gallery", type=str, nargs="+", default=None, help="gallery or training videos, likewise")
    parser.add_argument("--shares", type=float, nargs="+", default=None, help="of the labels: 0.01 0.1")
    parser.add_argument("--draws", type=int | None, default=None, help="of few labels; 5 by default")
    parser.add_argument("--background", type=str, nargs="+", default=None, help="labels of frames that are left out")
    parser.add_argument("--cache", type=str | None, default=None, help="where decoded videos and pictures are stored")
    add_device(parser)
    parser.add_argument(
        "-o", "--out", type=str | None, default=None, help="where classifiers are trained; RUN/classifiers"
    )
    default_fit: Any = None
    fits = [name for name, protocol in PROTOCOLS.items() if "fit" in protocol.takes]
    if given[:1] and given[0] in fits:
        from kinema.protocols.fit import FitConfig

        default_fit = FitConfig()
        parser.add_argument("--fit", type=FitConfig, default=default_fit)
        describe_parts(parser, "fit", FitConfig)
    under(parser, "What is measured", "protocol", "run", "data", "preset", "view", "views", "untrained")
    under(parser, "Which videos, and how many", "query", "gallery", "shares", "draws", "background")
    under(parser, "How classifiers are trained", "fit", "out")
    under(parser, "How classifiers are trained: optimiser", "fit.optimiser")
    under(parser, "How classifiers are trained: augmentation", "fit.transform")
    if asked(given):
        print(f"'kinema evaluate {fits[0]} --help' and so on also list how classifiers are trained.\n")
        print(f"protocols, each with its presets:\n{listing()}\n")
    arguments = parser.instantiate(parse(parser, given))
    from kinema import api

    results = api.evaluate(
        arguments.protocol,
        arguments.run,
        arguments.data,
        preset=arguments.preset,
        view=arguments.view,
        views=arguments.views,
        untrained=arguments.untrained,
        query=pairs(arguments.query, "--query"),
        gallery=pairs(arguments.gallery, "--gallery"),
        shares=arguments.shares,
        draws=arguments.draws,
        background=arguments.background,
        fit=arguments.fit if default_fit is not None and arguments.fit != default_fit else None,
        out=arguments.out,
        cache=arguments.cache,
        device=arguments.device,
        console=stderr_console(),
    )
    _show_results(results, arguments.json)
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
            said = f"{r.encoder} · {r.view} · {r.protocol} ({r.preset}) {r.details.get('selection', '')}: {figures}"
            print(said + _how_sure(r))


def _how_sure(result: Any) -> str:
    """The interval of a result's main figure, and what chance would have; as far as it tells them."""
    from kinema.protocols.table import PROTOCOLS

    interval, chance = result.details.get("interval"), result.details.get("chance")
    said = [f"{PROTOCOLS[result.protocol].main}: 95 % {interval[0]:.3f} to {interval[1]:.3f}"] if interval else []
    said += [f"chance {chance:.3f}"] if isinstance(chance, float) else []
    return f"  ({', '.join(said)})" if said else ""
