"""The verb ``kinema evolve``: arguments in, one call of ``kinema.api.evolution``, text or JSON out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinema.cli.catalogue import RUNNING
from kinema.cli.pretrain import add_settings, plan_fields
from kinema.cli.terminal import add_device, add_where, make_parser, pairs, parse, print_json, stderr_console, under

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

HELP = {
    "search": "cma (needs the extra kinema[evolve]), tournament, random or equal",
    "candidates": "how many are trained, at most",
    "population": "candidates of a generation; 0 for the usual number",
    "k": "clusters of the fitness",
    "s": "Zipf's exponent",
    "temperature": "of the fitness",
    "scaling": "of the features: standardised, unit, none, or both (as before)",
    "clusterings": "over which the fitness is averaged (1 before)",
    "subset": "videos that the fitness is measured on, at most",
    "threads": "of a candidate; results depend on it",
}
"""Options of the search, each a field of ``EvolveConfig``."""
LEFT_OUT = ("workers",)
"""Fields of the data that do not go with the search: its workers are candidates, which read their clips themselves."""


def run(given: list[str]) -> int:
    """The verb ``kinema evolve DATA``."""
    parser = make_parser("evolve")
    from dataclasses import replace
    from typing import get_type_hints

    from kinema.evolving.run import EvolveConfig
    from kinema.recipes.changes import fields_of_data
    from kinema.recipes.table import preset as preset_plan

    chosen = next((given[i + 1] for i, word in enumerate(given[:-1]) if word == "--preset"), "small")
    plan, usual = preset_plan(chosen, "elo"), EvolveConfig(search="random")
    own, of_data = plan_fields("elo", plan), [name for name in fields_of_data(plan) if name not in LEFT_OUT]
    _options(parser, chosen)
    kinds = get_type_hints(EvolveConfig)
    for name, text in HELP.items():
        default = "cma" if name == "search" else getattr(usual, name)
        parser.add_argument(f"--{name}", type=kinds[name], default=default, help=text)
    parser.add_argument("--candidate_epochs", type=int, default=usual.epochs, help="epochs of a candidate's training")
    add_settings(parser, plan, own, of_data)
    under(parser, "The search", "data", "out", "where", *HELP, "candidate_epochs", "resume", "finish", "keep", "preset")
    under(parser, "The search", "config")
    under(parser, RUNNING, "threads")
    args = parser.instantiate(parse(parser, given))
    from kinema.api import evolution as api_evolve

    config = EvolveConfig(**{name: getattr(args, name) for name in HELP}, seed=args.seed, epochs=args.candidate_epochs)
    passed = {
        name: getattr(args, name) for name in ("workers", "engine", "resume", "finish", "keep", "cache", "device")
    }
    plan = replace(plan, **{name: getattr(args, name) for name in own})
    found = api_evolve.evolve(
        args.data,
        args.out,
        config=config,
        preset=plan.with_data(**{name: getattr(args, name) for name in of_data}),
        where=pairs(args.where, "--where"),
        console=stderr_console(),
        **passed,
    )
    _show(found, args.data, args.json)
    return 0


def _options(parser: ArgumentParser, chosen: str) -> None:
    """What is neither a setting of the search nor of the training."""
    parser.add_argument("data", type=str, help="a folder of videos, a manifest, or NAME:PATH")
    parser.add_argument("-o", "--out", type=str, required=True, help="the folder of the search")
    parser.add_argument("--workers", type=int, default=2, help="candidates at a time; changes no result")
    parser.add_argument("--engine", type=str, default="processes", help="processes, or ray (needs kinema[ray])")
    parser.add_argument("--resume", action="store_true", help="go on with a search that was stopped, or try more")
    parser.add_argument("--finish", action="store_true", help="train the best weights in full, into DIR/run")
    parser.add_argument("--keep", action="store_true", help="keep the run of every candidate, in DIR/runs")
    parser.add_argument("--config", action="config", help="a YAML or JSON file of the settings below")
    parser.add_argument("--preset", type=str, default=chosen, help="small (CPU) or coclr (GPU)")
    add_where(parser, "train on videos")
    parser.add_argument("--cache", type=str | None, default=None, help="where decoded videos are kept")
    add_device(parser)


def _show(found: Any, data: str, as_json: bool) -> None:
    if as_json:
        print_json(found.plain())
        return
    from kinema.core.printing import make_console
    from kinema.evolving.shown import table

    make_console().print(table(found.history, found.best))
    print(f"The chart: {found.out / 'chart.svg'}")
    if found.run is not None:
        print(f"Trained in full: {found.run}")
    else:
        print(f"Next: kinema pretrain elo {data} --out RUN --config {found.config}")
