"""The command line: verbs, thin. Each parses its arguments, calls ``kinema.api`` and prints what came of it.

A verb that needs no torch calls the room that does its work, so as not to load it.
With ``--json`` one JSON object goes to standard output and all else to standard error. Exit status: 0 done, 1 the job
failed, 2 wrong usage. ``kinema --help`` loads nothing but this file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from kinema.core.errors import KinemaError, UsageError
from kinema.terminal import make_parser
from kinema.terminal import pairs as _pairs
from kinema.terminal import parse as _parse
from kinema.terminal import print_json as _print_json
from kinema.terminal import stderr_console as _console

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

VERBS = {
    "demo": "the whole job on the data set that ships: build, pretrain, evaluate, report",
    "dataset": "write a data set that ships as H.264 files: kinema dataset mocap DIR",
    "scan": "look at every video of a folder: what is there, what is broken",
    "duplicates": "find footage that is there twice, above all in train and in test: kinema duplicates DATA",
    "motion": "write a video's motion vectors as arrays, or draw them: kinema motion VIDEO -o FILE",
    "pretrain": "train an encoder on videos, without a label: kinema pretrain METHOD DATA --out RUN",
    "evolve": "find the weights of elo's losses without a label: kinema evolve DATA --out DIR",
    "evaluate": "measure an encoder: kinema evaluate PROTOCOL RUN DATA",
    "report": "one page: did it help?",
    "embed": "write the embeddings of videos into a table to be searched: kinema embed RUN VIDEOS",
    "search": "find what is like a video, a stretch of one, or a picture: kinema search RUN clip.mp4@12.5-15",
    "cluster": "sort a table of embeddings into clusters, and name them: kinema cluster RUN --name 3=cartwheel",
    "dedupe": "find footage that a table holds twice: the encoder proposes, 'duplicates' compares",
    "serve": "a page on this machine that searches a table: bring a clip, see the hits, the map: kinema serve RUN",
    "export": "write a trained encoder for others: kinema export RUN --format onnx -o FILE",
    "methods": "what there is to pretrain with, a line each",
}

ON_TOP = {
    "transforms": "by name, what else is done to clips: be, dsm, iic, …",
    "base": "of cpr: the method of its first phase; moco, be, dsm, …",
    "beside": "methods whose losses are added: be-regulariser, …",
}
"""Options of pretrain that put something on top of a method, by name."""
ELSEWHERE = dict.fromkeys(("embed", "search", "cluster", "dedupe"), "kinema.cli_search") | {
    "evolve": "kinema.cli_evolve",
    "serve": "kinema.cli_serve",
}
"""The verbs that another module holds."""

HELP = """usage: kinema VERB ...

Learns what moves, from video that nobody labelled.

verbs:
{verbs}

options:
  --version   print the version
  --json      (after a verb) print one JSON object on standard output

'kinema VERB --help' tells the rest. Exit status: 0 done, 1 the job failed, 2 wrong usage.
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs one verb and leaves with its exit status."""
    given = [_underscored(word) for word in (sys.argv[1:] if arguments is None else arguments)]
    as_json = "--json" in given
    try:
        status = _run(given)
    except KinemaError as error:
        status = error.exit_status
        _print_error(error, as_json)
    except KeyboardInterrupt:
        status = 1
        _print_error(KinemaError("Stopped.", "What was finished is kept."), as_json)
    except BrokenPipeError:
        status = 1
    sys.exit(status)


def _underscored(word: str) -> str:
    """Options may be written with dashes: --clips-per-class is --clips_per_class."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        text = HELP.format(verbs="\n".join(f"  {name:10}  {told}" for name, told in VERBS.items()))
        print(text, end="", file=sys.stdout if given else sys.stderr)
        return 0 if given else 2
    if given[0] == "--version":
        import kinema

        print(f"kinema {kinema.__version__}")
        return 0
    if given[0] not in VERBS:
        raise UsageError(f"There is no verb '{given[0]}'.", f"Choose one of: {', '.join(VERBS)}.")
    if given[0] in ELSEWHERE:
        import importlib

        status: int = getattr(importlib.import_module(ELSEWHERE[given[0]]), given[0])(_parser(given[0]), given[1:])
        return status
    verb: Callable[[list[str]], int] = globals()[f"_{given[0]}"]
    return verb(given[1:])


def _print_error(error: KinemaError, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": {"kind": error.kind, "message": error.message, "hint": error.hint}}))
    print(f"kinema: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"        {error.hint}", file=sys.stderr)


def _parser(verb: str, more: str = "") -> ArgumentParser:
    """A parser whose complaints are ours."""
    return make_parser(verb, f"{VERBS[verb.split()[0]]}. {more}".strip())


def _methods(given: list[str]) -> int:
    asked = _parse(_parser("methods"), given)
    from kinema.recipes.methods import METHODS

    if asked.json:
        rows = [
            {"name": name, "paper": m.paper, "modalities": list(m.modalities), "summary": m.summary}
            for name, m in METHODS.items()
        ]
        _print_json({"methods": rows})
    else:
        for name, method in METHODS.items():
            print(f"{name:12} {method.summary} [{method.paper}]")
    return 0


def _scan(given: list[str]) -> int:
    import time

    parser = _parser("scan")
    parser.add_argument("videos", type=str, help="the folder, or NAME:PATH: ucf101:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the manifest here (.parquet, .json)")
    parser.add_argument(
        "--quarantine", type=str | None, default=None, help="write the files that are not whole here (.csv)"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    asked = _parse(parser, given)
    from pathlib import Path

    from kinema import api
    from kinema.data.summary import scan_json, scan_table, write_quarantine

    began = time.monotonic()
    console = _console()
    with api.Steps("scanning", console) as progress:
        manifest = api.scan(asked.videos, out=asked.out, workers=asked.workers, progress=progress)
    if asked.quarantine is not None:
        write_quarantine(manifest, Path(asked.quarantine))
    if asked.json:
        _print_json(scan_json(manifest, time.monotonic() - began))
    else:
        from rich.console import Console

        Console().print(scan_table(manifest))
    return 0 if any(video.health != "unreadable" for video in manifest.videos) else 1


def _duplicates(given: list[str]) -> int:
    import time

    parser = _parser("duplicates", "No labels and no run are needed; a split is read where there is one.")
    parser.add_argument("data", type=str, help="a folder of videos, a manifest, or NAME:PATH")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="write the pairs here (.csv)")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    asked = _parse(parser, given)
    from kinema import api

    began = time.monotonic()
    found = api.duplicates(asked.data, out=asked.out, workers=asked.workers, console=_console())
    if asked.json:
        _print_json(found.plain(time.monotonic() - began))
    else:
        from rich.console import Console

        Console().print(found.table())
    return 0


def _dataset(given: list[str]) -> int:
    if given[:1] not in (["mocap"], ["--help"], ["-h"]):
        named = f"'{given[0]}'" if given else "no data set"
        raise UsageError(f"You named {named}; the data set that ships is 'mocap'.", "kinema dataset mocap DIR")
    from kinema.data.mocap import MocapConfig, write_mocap

    parser = _parser("dataset mocap", "Real recorded human motion; needs the extra kinema[mocap].")
    parser.add_argument("dir", type=str, help="the folder to write; an interrupted one is completed")
    parser.add_argument("--workers", type=int | None, default=None, help="processes")
    parser.add_class_arguments(MocapConfig, skip={"parts", "sound"})
    parser.add_argument("--sound", action="store_true", help="videos that can be heard: strikes, landings, swings")
    parts = list(MocapConfig().parts)
    parser.add_argument("--parts", type=str, nargs="+", default=parts, help=f"of the test set: {', '.join(parts)}")
    asked = _parse(parser, given[1:] if given[0] == "mocap" else given)
    from pathlib import Path

    from kinema import api

    values = {name: getattr(asked, name) for name in MocapConfig.__dataclass_fields__}
    config = MocapConfig(**{**values, "parts": tuple(asked.parts)})
    with api.Steps("drawing", _console()) as progress:
        summary = write_mocap(Path(asked.dir), config, workers=asked.workers, progress=progress)
    if asked.json:
        _print_json(
            {"data": str(summary.out), "videos": summary.videos, "digest": summary.digest, "seconds": summary.seconds}
        )
    else:
        print(f"{summary.videos} videos in {summary.out} ({summary.seconds:.0f} s)")
    return 0


def _motion(given: list[str]) -> int:
    import time

    parser = _parser("motion", "FILE.npz gets arrays, FILE.mp4 the frames with their motion drawn over them.")
    parser.add_argument("video", type=str, help="the file: H.264, MPEG-1, -2 or -4")
    parser.add_argument("-o", "--out", type=str, required=True, help="what to write: .npz or .mp4")
    asked = _parse(parser, given)
    # Without api, which loads torch: seconds, where most videos take less.
    from kinema.data import write_motion
    from kinema.steps import Steps

    began = time.monotonic()
    with Steps("reading motion", _console()) as progress:
        written = write_motion(asked.video, asked.out, progress=progress)
    seconds = time.monotonic() - began
    height, width = written.source_size
    if asked.json:
        told = {"frames": written.frames, "telling": written.telling, "width": width, "height": height}
        damage = {"bad_packets": written.bad_packets, "reason": written.reason}
        _print_json({"video": asked.video, "out": asked.out, **told, **damage, "seconds": seconds})
    else:
        print(
            f"{asked.out}: {written.frames} frames of {width}x{height}, {written.telling} with motion ({seconds:.1f} s)"
        )
        if written.bad_packets:
            print(f"{written.bad_packets} packets are damaged: {written.reason}", file=sys.stderr)
    return 0


def _pretrain(given: list[str]) -> int:
    from kinema.recipes.methods import METHODS

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
        _print_json({**told, "loss": done.loss})
    else:
        print(f"Done: {asked.out} ({done.epochs} epochs, {done.steps} steps, {done.seconds:.0f} s)")
        print(f"Next: kinema evaluate retrieval {asked.out} {asked.data}")
    return 0


def _pretraining(name: str, chosen: str, rest: list[str]) -> tuple[Any, dict[str, Any]]:
    """What was asked of 'pretrain', and the arguments of ``api.pretrain`` that say how."""
    from dataclasses import replace

    from kinema.recipes.presets import preset as preset_plan

    plan = preset_plan(chosen, name)
    parser = _pretrain_parser(name, chosen, plan)
    fields = [field for field in type(plan).__dataclass_fields__ if field not in ON_TOP]
    asked = parser.instantiate(_parse(parser, rest))
    wanted = replace(plan, **{field: getattr(asked, field) for field in fields})
    settings = {f: getattr(wanted, f) for f in fields if getattr(wanted, f) != getattr(plan, f)}
    if settings.pop("method", None) is not None:
        values: Any = wanted.method
        changed = {f: getattr(values, f) for f in values.__dataclass_fields__}
        settings["method_settings"] = {f: v for f, v in changed.items() if v != getattr(plan.method, f)}
    settings |= {option: getattr(asked, option) for option in ON_TOP if getattr(asked, option)}
    settings |= {"preset": chosen, "where": _pairs(asked.where, "--where"), "cache": asked.cache}
    settings |= {"device": asked.device, "logger": asked.logger, "console": _console()}
    return asked, settings


def _dry_run(name: str, asked: Any, settings: dict[str, Any]) -> int:
    if asked.resume:
        raise UsageError("A dry run begins nothing, so there is nothing to go on with.", "Leave out --resume.")
    from rich.console import Console

    from kinema.estimating import dry_run, table

    estimate = dry_run(name, asked.data, asked.out, **settings)
    if asked.json:
        _print_json(estimate.plain())
    else:
        Console().print(table(estimate), highlight=False)
    return 0


def _pretrain_parser(name: str, chosen: str, plan: Any) -> ArgumentParser:
    """Every setting of a plan is an option; what is put on top of the method is named."""
    from kinema.recipes.methods import METHODS

    parser = _parser(f"pretrain {name}", METHODS[name].summary + ".")
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


def _evaluate(given: list[str]) -> int:
    from kinema.measure.protocols import PROTOCOLS, listing

    parser = _parser("evaluate")
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
        from kinema.measure.fit import FitConfig

        usual = FitConfig()
        parser.add_argument("--fit", type=FitConfig, default=usual)
    if {"-h", "--help"} & set(given):
        print(f"'kinema evaluate {fits[0]} --help' and so on also list how classifiers are trained.\n")
        print(f"protocols, each with its presets:\n{listing()}\n")
    asked = parser.instantiate(_parse(parser, given))
    from kinema import api

    results = api.evaluate(
        asked.protocol,
        asked.run,
        asked.data,
        preset=asked.preset,
        view=asked.view,
        views=asked.views,
        untrained=asked.untrained,
        query=_pairs(asked.query, "--query"),
        gallery=_pairs(asked.gallery, "--gallery"),
        shares=asked.shares,
        draws=asked.draws,
        fit=asked.fit if usual is not None and asked.fit != usual else None,
        out=asked.out,
        cache=asked.cache,
        device=asked.device,
        console=_console(),
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
        _print_json(rows[0] | ({"parts": rows} if len(rows) > 1 else {}))
    else:
        for r in results:
            figures = "  ".join(f"{name} {value:.3f}" for name, value in r.metrics.items())
            print(f"{r.encoder} · {r.view} · {r.protocol} ({r.preset}) {r.details.get('selection', '')}: {figures}")


def _report(given: list[str]) -> int:
    parser = _parser("report")
    parser.add_argument("runs", type=str, nargs="+", help="one or several runs' folders")
    parser.add_argument("-o", "--out", type=str | None, default=None, help="the page; RUN/report.html by default")
    asked = _parse(parser, given)
    from kinema import api
    from kinema.reporting import recipes, rows

    page, report = api.report(*asked.runs, out=asked.out)
    if asked.json:
        told = {"keep": report.advice.sentence, "next": list(report.advice.steps), "recipes": recipes(report)}
        _print_json({"rows": rows(report), **told, "report": str(page)})
    else:
        _show(report, page)
    return 0


def _export(given: list[str]) -> int:
    import time

    parser = _parser("export", "safetensors is a folder that kinema.load reads; onnx and program are one file.")
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument("--format", type=str, default="safetensors", help="safetensors, onnx or program")
    parser.add_argument("-o", "--out", type=str, required=True, help="what to write; must not exist")
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    parser.add_argument("--licence", type=str | None, default=None, help="the licence of the weights, in your words")
    asked = _parse(parser, given)
    from kinema import api

    began = time.monotonic()
    done = api.export(asked.run, asked.out, format=asked.format, view=asked.view, licence=asked.licence)
    gap = done.difference
    told = {"out": asked.out, "format": done.format, "view": done.view, "bytes": done.size}
    told |= {} if gap is None else {"difference": {"absolute": gap.absolute, "relative": gap.relative}}
    if asked.json:
        _print_json({"run": asked.run, **told, "seconds": time.monotonic() - began})
    else:
        exact = f"; its outputs differ by {gap.absolute:.1g} at most" if gap is not None else ""
        print(f"{asked.out}: {done.view} as {done.format}, {done.size / 1e6:.1f} MB{exact}")
    return 0


def _demo(given: list[str]) -> int:
    parser = _parser("demo", "On two CPU cores it takes some ten minutes.")
    parser.add_argument("dir", type=str, nargs="?", default="kinema-demo", help="where everything goes")
    parser.add_argument("--epochs", type=int | None, default=None, help="epochs of each encoder; fewer are faster")
    parser.add_argument("--clips_per_class", type=int | None, default=None, help="training videos a class")
    asked = _parse(parser, given)
    from kinema.demo import run_demo

    outcome = run_demo(asked.dir, epochs=asked.epochs, clips_per_class=asked.clips_per_class, console=_console())
    if asked.json:
        from kinema.reporting import rows

        told = {"report": str(outcome.page), "run": str(outcome.run), "seconds": outcome.seconds}
        _print_json({"rows": rows(outcome.report), **told})
    else:
        _show(outcome.report, outcome.page)
    return 0


def _show(report: Any, page: Any) -> None:
    from rich.console import Console

    from kinema.reporting import table, words

    console = Console()
    console.print(table(report), words(report))
    console.print(f"The page: {page}", highlight=False)
