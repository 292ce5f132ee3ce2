"""``kinema pretrain``: every setting of a plan is an option."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import (
    add_device,
    add_where,
    describe_parts,
    helps,
    hide,
    is_config,
    make_parser,
    pairs,
    parse,
    print_json,
    settings_in,
    stderr_console,
    under,
)
from kinema.cli.together import launched
from kinema.core.errors import UsageError
from kinema.core.plurals import counted
from kinema.core.processes import place

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

ON_TOP = {
    "transforms": "by name, what else is done to clips: be, dsm, iic, …",
    "base": "of cpr: the method of its first phase; moco, be, dsm, …",
    "beside": "methods whose losses are added: be-regulariser, …",
    "beside_weights": "of those losses",
}
"""Options of pretrain that put something on top of a method, by name."""


def run(given: list[str]) -> int:
    """The verb ``kinema pretrain``."""
    from kinema.recipes.choice import AUTO, SUMMARY
    from kinema.recipes.table import METHODS

    if "--list" in given:
        return _list(given)
    if not given or given[0].startswith("-"):
        lines = {AUTO: SUMMARY} | {name: entry.summary for name, entry in METHODS.items()}
        listed = "\n".join(f"  {name:12} {line}" for name, line in lines.items())
        print(f"usage: kinema pretrain METHOD DATA --out RUN ...\n\nmethods:\n{listed}")
        print("\n'kinema pretrain METHOD --help' lists every setting of a method.")
        return 0 if given and given[0] in ("-h", "--help") else 2
    name, rest = given[0], given[1:]
    args, settings = _shared(_preset(rest), rest) if name == AUTO else _pretraining(name, _preset(rest), rest)
    if args.dry_run:
        return _dry_run(name, args, settings)
    if args.devices != 1 and place().world == 1:
        return launched(args.devices, ["pretrain", *given])
    from kinema import api

    done = api.pretrain(name, args.data, args.out, resume=args.resume, **settings)
    if place().rank:  # the first process speaks for all
        return 0
    summary = {
        "run": args.out,
        "method": done.method,
        "epochs": done.epochs,
        "steps": done.steps,
        "seconds": done.seconds,
    }
    if args.json:
        print_json({**summary, "loss": done.loss} | ({"choice": done.choice} if done.choice else {}))
    else:
        print(
            f"Done: {args.out} ({counted(done.epochs, 'epochs')}, {counted(done.steps, 'steps')}, {done.seconds:.0f} s)"
        )
        print(f"Next: {METHODS[done.method].next_step.format(run=args.out, data=args.data)}")
    return 0


def _list(given: list[str]) -> int:
    """``kinema pretrain --list``: what there is to pretrain with, a line each, and its paper."""
    from kinema.recipes.choice import AUTO, SUMMARY
    from kinema.recipes.table import METHODS

    others = [word for word in given if word not in ("--list", "--json")]
    if others:
        raise UsageError(f"--list takes nothing beside it, and '{others[0]}' is.", "kinema pretrain --list")
    if "--json" in given:
        rows = [
            {"name": name, "paper": m.paper, "modalities": list(m.modalities), "summary": m.summary}
            for name, m in METHODS.items()
        ]
        print_json({"methods": rows})
    else:
        print(f"{AUTO:12} {SUMMARY}")
        for name, method in METHODS.items():
            print(f"{name:12} {method.summary} [{method.paper}]")
    return 0


def _pretraining(name: str, chosen: str, rest: list[str]) -> tuple[Any, dict[str, Any]]:
    """What was asked of 'pretrain', and the arguments of ``api.pretrain`` that say how."""
    from dataclasses import fields

    from kinema.recipes.changes import fields_of_data
    from kinema.recipes.table import preset as preset_plan

    plan = preset_plan(chosen, name)
    of_data = fields_of_data(plan)
    parser = _pretrain_parser(name, chosen, plan)
    args = parse(parser, rest)
    if args.preset != chosen:  # its settings would be those of another
        raise UsageError(f"The preset is written as '{args.preset}' and as '{chosen}'.", "Name it once: --preset NAME")
    if args.resume and not args.dry_run:
        return args, _given(parser, rest, args, [*plan_fields(name, plan), *of_data, *ON_TOP])
    args = parser.instantiate(args)
    own = [field for field in plan_fields(name, plan) if field != "method"]
    settings = {field: getattr(args, field) for field in own if getattr(args, field) != getattr(plan, field)}
    settings |= {f: getattr(args, f) for f in of_data if getattr(args, f) != getattr(plan.data, f)}
    values: Any = args.method
    changed = {f.name: getattr(values, f.name) for f in fields(values)}
    written = _plainly(parser.parse_args(rest, defaults=False).as_dict().get("method", {}))  # the preset's value too
    changed = {f: value for f, value in changed.items() if f in written or value != getattr(plan.method, f)}
    settings |= {"method_settings": changed} if changed else {}
    settings |= {option: getattr(args, option) for option in ON_TOP if getattr(args, option, None)}
    return args, settings | {"preset": chosen} | _how(args)


def _shared(chosen: str, rest: list[str]) -> tuple[Any, dict[str, Any]]:
    """The same of 'auto', which has the options that do not hang on a method: what is written, and nothing else."""
    from kinema.recipes.changes import fields_of_data
    from kinema.recipes.choice import AUTO, OWN, RULES, check_shared
    from kinema.recipes.table import preset as preset_plan

    options = {word[2:].partition("=")[0].partition(".")[0] for word in rest if word.startswith("--")}
    options |= {"method_settings"} if "method" in options else set()
    check_shared(dict.fromkeys(options & set(OWN), True), chosen)
    name = RULES[0].method  # any of those that may be chosen: what is left of their options is the same
    plan = preset_plan(chosen, name)
    own = [field for field in plan_fields(name, plan) if field != "method"]
    parser = _pretrain_parser(AUTO, chosen, plan)
    args = parse(parser, rest)
    settings = _given(parser, rest, args, [*own, *fields_of_data(plan)])
    return args, settings if args.resume else {"preset": chosen, **settings}


def _preset(given: Sequence[str]) -> str:
    """The preset that is named last, on the command line or in a file of settings; the options depend on it."""
    chosen = "small"
    for number, word in enumerate(given):
        option, equals, value = word.partition("=")
        value = value if equals else next(iter(given[number + 1 :]), "")
        if len(option) > 3 and "--preset".startswith(option):  # as the parser takes what begins an option
            chosen = value or chosen
        elif is_config(option):
            named = settings_in(value).get("preset")
            chosen = named if isinstance(named, str) else chosen
    return chosen


def _how(args: Any) -> dict[str, Any]:
    """The arguments of ``api.pretrain`` that are no settings of the plan."""
    how = {"where": pairs(args.where, "--where"), "cache": args.cache, "norms": args.norms}
    how |= {"compile": args.compile, "checkpoint_activations": args.checkpoint_activations}
    console = stderr_console() if place().rank == 0 else None
    return how | {"device": args.device, "logger": args.logger, "console": console}


def _given(parser: ArgumentParser, rest: list[str], args: Any, known: Sequence[str]) -> dict[str, Any]:
    """The settings that are written beside --resume, defaults too if they are; what is not written is the run's."""
    written = parser.parse_args(rest, defaults=False).as_dict()
    settings = {name: _plainly(written[name]) for name in known if name in written}
    if "method" in settings:
        settings["method_settings"] = settings.pop("method")
    if "preset" in written:
        settings["preset"] = written["preset"]
    return settings | _how(args)


def _plainly(value: Any) -> Any:
    """What is written of a part, without the name of its class, which the parser adds to some."""
    if not isinstance(value, dict):
        return value
    part = value.get("init_args", {}) if "class_path" in value else value
    return {key: _plainly(each) for key, each in part.items()}


def _dry_run(name: str, args: Any, settings: dict[str, Any]) -> int:
    if args.resume:
        raise UsageError("A dry run begins nothing, so there is nothing to go on with.", "Leave out --resume.")
    from kinema.core.printing import make_console
    from kinema.estimating import dry_run, table

    settings.pop("norms")

    estimate = dry_run(name, args.data, args.out, **settings)
    if args.json:
        print_json(estimate.plain())
    else:
        make_console().print(table(estimate), highlight=False)
    return 0


def plan_fields(name: str, plan: Any) -> list[str]:
    """The fields of a plan that are options of a method: a schedule is one of those that go by it."""
    from kinema.recipes.table import METHODS

    left_out = {"data", *ON_TOP, *(() if METHODS[name].scheduled else ("schedule",))}
    return [field for field in type(plan).__dataclass_fields__ if field not in left_out]


def _pretrain_parser(name: str, chosen: str, plan: Any) -> ArgumentParser:
    """Every setting of a plan and of its data is an option; what is put on top of the method is named."""
    from kinema.recipes.changes import fields_of_data
    from kinema.recipes.choice import AUTO, PRESETS, SUMMARY
    from kinema.recipes.table import METHODS, method_name

    auto = name == AUTO
    entry, rows = METHODS[method_name(plan.method) if auto else name], plan.data.rows
    parser = make_parser(f"pretrain {name}", SUMMARY.capitalize() + "." if auto else entry.summary + ".")
    parser.add_argument("data", type=str, help=plan.data.takes)
    parser.add_argument("-o", "--out", type=str, required=True, help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--dry_run", action="store_true", help="only say what it would take; nothing is written")
    parser.add_argument("--config", action="config", help="a YAML or JSON file of the settings below")
    parser.add_argument(
        "--preset", type=str, default=chosen, help=f"one of: {', '.join(PRESETS if auto else entry.presets)}"
    )
    add_where(parser, f"train on {rows}")
    parser.add_argument("--cache", type=str | None, default=None, help="where what is made once is kept")
    add_device(parser)
    parser.add_argument("--devices", type=int, default=1, help="processes of this machine that train it together")
    parser.add_argument("--norms", type=str, default="all", help="with several: BatchNorm over 'all' or a 'process'")
    parser.add_argument("--compile", action="store_true", help="compile the encoders (torch.compile)")
    parser.add_argument(
        "--checkpoint_activations",
        action="store_true",
        help="compute blocks of the encoders twice: less memory, slower",
    )
    parser.add_argument("--logger", type=str, default="tensorboard", help="tensorboard, wandb, mlflow or none")
    if hasattr(plan.data, "transform") and not auto:
        parser.add_argument("--transforms", type=str, nargs="+", default=None, help=ON_TOP["transforms"])
        parser.add_argument("--beside", type=str, nargs="+", default=None, help=ON_TOP["beside"])
        parser.add_argument("--beside_weights", type=tuple[float, ...], default=(), help=ON_TOP["beside_weights"])
    if entry.takes_base and not auto:
        parser.add_argument("--base", type=str | None, default=None, help=ON_TOP["base"])
    under(
        parser,
        "The run",
        "data",
        "out",
        "resume",
        "dry_run",
        "preset",
        "config",
        "logger",
        "devices",
        "norms",
        "compile",
        "checkpoint_activations",
    )
    under(parser, "Augmentation", "transforms")
    under(parser, f"Method: {entry.short or entry.title}", "base", "beside", "beside_weights")
    own = [field for field in plan_fields(method_name(plan.method), plan) if not auto or field != "method"]
    add_settings(parser, plan, own, fields_of_data(plan))
    return parser


def add_settings(parser: ArgumentParser, plan: Any, own: Sequence[str], of_data: Sequence[str]) -> None:
    """Makes fields of a plan, and of its data, options whose defaults are the plan's.

    Args:
        parser: takes the options.
        plan: gives kinds and defaults.
        own: fields of the plan itself.
        of_data: fields of its data.
    """
    from typing import get_type_hints

    from kinema.recipes.table import entry_of, leading

    parts = {"method": type(plan.method), "encoder": type(plan.encoder)}
    for names, holder in ((own, plan), (of_data, plan.data)):
        hints, said = get_type_hints(type(holder)) | parts, helps(type(holder))
        for field in names:
            parser.add_argument(f"--{field}", type=hints[field], default=getattr(holder, field), help=said.get(field))
            describe_parts(parser, field, hints[field])
    entry = entry_of(leading(plan.method))
    under(parser, "Data and clips" if hasattr(plan.data, "transform") else f"Data: {plan.data.rows}", "where", *of_data)
    under(parser, "Augmentation", "transform")
    under(parser, "Sound", "sound", "transform.sound", "encoder.sound")
    under(parser, "Training", *own)
    under(parser, f"Method: {entry.short or entry.title}", "method", "schedule")
    under(parser, "Encoder", "encoder", "weights")
    under(parser, "Encoder: videomae and vjepa2", "encoder.vit")
    under(parser, "Optimiser", "optimiser")
    if "sound" not in entry.modalities:
        hide(parser, "sound", "transform.sound", "encoder.sound")
