"""``kinema pretrain``: every setting of a plan is an option."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import make_parser, pairs, parse, print_json, stderr_console
from kinema.core.errors import UsageError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

ON_TOP = {
    "transforms": "by name, what else is done to clips: be, dsm, iic, …",
    "base": "of cpr: the method of its first phase; moco, be, dsm, …",
    "beside": "methods whose losses are added: be-regulariser, …",
}
"""Options of pretrain that put something on top of a method, by name."""


def run(given: list[str]) -> int:
    """The verb ``kinema pretrain``."""
    from kinema.recipes.table import METHODS

    if not given or given[0].startswith("-"):
        listed = "\n".join(f"  {name:12} {m.summary}" for name, m in METHODS.items())
        print(f"usage: kinema pretrain METHOD DATA --out RUN ...\n\nmethods:\n{listed}")
        print("\n'kinema pretrain METHOD --help' lists every setting of a method.")
        return 0 if given and given[0] in ("-h", "--help") else 2
    name, rest = given[0], given[1:]
    chosen = next((rest[i + 1] for i, word in enumerate(rest[:-1]) if word == "--preset"), "small")
    asked, settings = _pretraining(name, chosen, rest)
    if asked.dry_run:
        return _dry_run(name, asked, settings)
    from kinema import api

    done = api.pretrain(name, asked.data, asked.out, resume=asked.resume, **settings)
    told = {"run": asked.out, "method": name, "epochs": done.epochs, "steps": done.steps, "seconds": done.seconds}
    if asked.json:
        print_json({**told, "loss": done.loss})
    else:
        print(f"Done: {asked.out} ({done.epochs} epochs, {done.steps} steps, {done.seconds:.0f} s)")
        print(f"Next: kinema evaluate retrieval {asked.out} {asked.data}")
    return 0


def _pretraining(name: str, chosen: str, rest: list[str]) -> tuple[Any, dict[str, Any]]:
    """What was asked of 'pretrain', and the arguments of ``api.pretrain`` that say how."""
    from dataclasses import replace

    from kinema.recipes.table import preset as preset_plan

    plan = preset_plan(chosen, name)
    parser = _pretrain_parser(name, chosen, plan)
    fields = [field for field in type(plan).__dataclass_fields__ if field not in ON_TOP]
    asked = parser.instantiate(parse(parser, rest))
    wanted = replace(plan, **{field: getattr(asked, field) for field in fields})
    settings = {f: getattr(wanted, f) for f in fields if getattr(wanted, f) != getattr(plan, f)}
    if settings.pop("method", None) is not None:
        values: Any = wanted.method
        changed = {f: getattr(values, f) for f in values.__dataclass_fields__}
        settings["method_settings"] = {f: v for f, v in changed.items() if v != getattr(plan.method, f)}
    settings |= {option: getattr(asked, option) for option in ON_TOP if getattr(asked, option)}
    settings |= {"preset": chosen, "where": pairs(asked.where, "--where"), "cache": asked.cache}
    settings |= {"device": asked.device, "logger": asked.logger, "console": stderr_console()}
    return asked, settings


def _dry_run(name: str, asked: Any, settings: dict[str, Any]) -> int:
    if asked.resume:
        raise UsageError("A dry run begins nothing, so there is nothing to go on with.", "Leave out --resume.")
    from rich.console import Console

    from kinema.estimating import dry_run, table

    estimate = dry_run(name, asked.data, asked.out, **settings)
    if asked.json:
        print_json(estimate.plain())
    else:
        Console().print(table(estimate), highlight=False)
    return 0


def _pretrain_parser(name: str, chosen: str, plan: Any) -> ArgumentParser:
    """Every setting of a plan is an option; what is put on top of the method is named."""
    from kinema.recipes.table import METHODS

    parser = make_parser(f"pretrain {name}", METHODS[name].summary + ".")
    parser.add_argument("data", type=str, help="a folder of videos, a manifest, or NAME:PATH")
    parser.add_argument("--out", type=str, required=True, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--dry_run", action="store_true", help="only say what it would take; nothing is written")
    parser.add_argument("--config", action="config", help="a YAML or JSON file of the settings below")
    parser.add_argument("--preset", type=str, default=chosen, help="small (CPU), paper or paper-kinetics (GPU)")
    parser.add_argument("--where", type=str, nargs="+", default=None, help="train on videos with KEY=VALUE")
    parser.add_argument("--cache", type=str | None, default=None, help="where decoded videos are kept")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu or gpu")
    parser.add_argument("--logger", type=str, default="tensorboard", help="tensorboard, wandb, mlflow or none")
    parser.add_argument("--transforms", type=str, nargs="+", default=None, help=ON_TOP["transforms"])
    parser.add_argument("--base", type=str | None, default=None, help=ON_TOP["base"])
    parser.add_argument("--beside", type=str, nargs="+", default=None, help=ON_TOP["beside"])
    hints = _hints(type(plan))
    for field in type(plan).__dataclass_fields__:
        if field not in ON_TOP:
            kind = type(plan.method) if field == "method" else hints[field]
            parser.add_argument(f"--{field}", type=kind, default=getattr(plan, field))
    return parser


def _hints(kind: type) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(kind)
