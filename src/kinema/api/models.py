"""From a run to its encoder, and from an encoder to a file for others."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from kinema.core.comparing import Comparing
from kinema.core.errors import RunError, UsageError
from kinema.core.guesses import did_you_mean
from kinema.core.method import TrainingContext
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.joined import PLUS, TWO_STREAMS, JoinedModel, views_of
from kinema.data.clips.reader import Model
from kinema.data.documents.reader import TextReader
from kinema.data.pairs.config import PairsConfig
from kinema.exporting import Exported, check_request, export_model, is_export, load_export, views_in
from kinema.recipes.json import recipe_from_plain
from kinema.recipes.table import encoder_name as encoder_name
from kinema.training.checkpoints import read_tower
from kinema.training.run_folder import RunFolder
from kinema.training.settings import Phase, Recipe
from kinema.training.trainer import build_method


def load(run: str | PathLike[str], *, view: str | None = None, untrained: bool = False) -> Any:
    """The encoder that a run trained.

    Args:
        run: the run's folder, or a folder of safetensors that :func:`export` wrote.
        view: which view's encoder; by default the one the run is for. The guide of CPR is kept too: 'motion'. Several
            with a plus between them, 'rgb+motion', are taken together: their embeddings side by side, each of one
            length, so that the cosine is the mean of theirs.
        untrained: the same encoder as it was before training, to compare with; an export has none.

    Raises:
        RunError: there is no run, or it has not finished a phase for that view.
        UsageError: a view stands twice, or the run's views cannot be taken together.
        CheckpointError: the weights do not fit the recipe.
    """
    if is_export(Path(run)):
        if untrained:
            raise UsageError(f"'{run}' is an exported model, which holds no untrained encoder.", "Name its run.")
        return _comparing(load_export(Path(run), view=view), Path(run))
    if view is not None and PLUS in view:
        return _comparing(_side_by_side(Path(run), views_of(view), untrained), Path(run))
    folder = RunFolder.open(Path(run))
    recipe = recipe_from_plain(folder.read("recipe.json"), f"'{folder.path / 'recipe.json'}'")
    view = view or recipe.view
    phase = _phase_for(folder, recipe, view, finished=not untrained)
    about = folder.read("environment.json")
    context = TrainingContext(int(about.get("videos", 2)), max(2, int(about.get("classes", 2))))
    first = next(p for p in recipe.phases if view in p.method.trains)
    method = build_method(recipe, first if untrained else phase, context)
    towers = _together(recipe, phase, view)
    if not untrained:
        place = folder.phase(recipe.number(phase), phase.name)
        method.start({each: read_tower(place / f"tower-{each}.safetensors") for each in towers})
    more = {"towers": {each: method.towers()[each] for each in towers}} if len(towers) > 1 else {}
    reader = recipe.data.reader(
        method.towers()[view],
        view,
        **more,
        name="random" if untrained else encoder_name(phase.method),
        run=folder.path,
        seed=recipe.seed,
        run_digest=None if untrained else folder.weights_digest,
    )
    return _comparing(reader, folder.path)


def _comparing(reader: Any, home: Path) -> Any:
    """A reader that knows the centre of the table beside its run, where there is one."""

    def centre() -> Tensor | None:
        from kinema.searching.run_centre import centre_for

        return centre_for(reader, home)

    if isinstance(reader, Comparing):
        reader.centre = centre
    return reader


def export(
    run: str | PathLike[str] | Model | TextReader,
    out: str | Path,
    *,
    format: Literal["safetensors", "onnx", "program", "sentence-transformers"] = "safetensors",
    view: str | None = None,
    licence: str | None = None,
) -> Exported:
    """Writes a trained encoder for others; formats and further errors are those of :mod:`kinema.exporting`.

    Args:
        run: a run's folder, an exported folder, or a model.
        out: the folder ('safetensors', 'sentence-transformers') or the file to write; must not exist.
        format: 'safetensors' for :func:`load`, 'onnx' (needs the extra kinema[onnx]) or 'program'; of a model of text,
            'sentence-transformers', a folder that ``SentenceTransformer(DIR)`` of that library loads.
        view: which view's encoder of a run; by default the one it is for.
        licence: the licence of the weights, in your words.
    """
    check_request(format, Path(out))
    if isinstance(run, Model | TextReader) and view not in (None, run.view):
        raise UsageError(
            f"The model sees '{run.view}', not '{view}'.", "Load the other view's: kinema.load(RUN, view=…)"
        )
    model = load(run, view=view) if isinstance(run, str | PathLike) else run
    return export_model(model, Path(out), format=format, licence=licence)


def two_streams(run: str | PathLike[str], *, untrained: bool = False) -> str | None:
    """'rgb+motion' where a run has finished encoders of both views, or is an export of both; None where it has not.

    Args:
        run: a run's folder, or an exported one.
        untrained: whether the encoders are meant as they were before training, for which no phase must be finished.
    """
    view = PLUS.join(TWO_STREAMS)
    if is_export(Path(run)):
        return view if set(TWO_STREAMS) <= set(views_in(Path(run))) else None
    folder = RunFolder.open(Path(run))
    recipe = recipe_from_plain(folder.read("recipe.json"))
    if not isinstance(recipe.data, ClipsConfig) or not set(TWO_STREAMS) <= set(recipe.trains):
        return None
    try:
        for each in TWO_STREAMS:
            _phase_for(folder, recipe, each, finished=not untrained)
    except RunError:
        return None
    return view


def _side_by_side(run: Path, views: tuple[str, ...], untrained: bool) -> JoinedModel:
    """The encoders of a run's views; the name is that of the encoder that the run is for."""
    readers = [load(run, view=view, untrained=untrained) for view in views]
    wanted = recipe_from_plain(RunFolder.open(run).read("recipe.json")).view
    return JoinedModel(readers, next((reader for reader in readers if reader.view == wanted), None))


def _together(recipe: Recipe, phase: Phase, view: str) -> tuple[str, ...]:
    """The views whose encoders a reader has: of pairs all that the phase trains, of other data the one that is asked.

    Args:
        recipe: says what the data are.
        phase: whose weights are taken.
        view: that was asked for.
    """
    return tuple(phase.method.trains) if isinstance(recipe.data, PairsConfig) else (view,)


def _phase_for(folder: RunFolder, recipe: Recipe, view: str, *, finished: bool) -> Phase:
    training = [phase for phase in recipe.phases if view in phase.method.trains]
    if not training:
        views = sorted(recipe.trains)
        raise RunError(
            f"The run '{folder.path}' trains no encoder of '{view}'; it trains: {', '.join(views)}.",
            did_you_mean(view, views).strip(),
        )
    for phase in reversed(training):
        file = folder.phase(recipe.number(phase), phase.name) / f"tower-{view}.safetensors"
        if not finished or file.exists():
            return phase
    command = folder.read("status.json").get("resume")
    raise RunError(
        f"The run '{folder.path}' has not finished a phase that trains '{view}'.",
        f"Go on with it: {command or 'the command that began it, of kinema pretrain with --resume'}",
    )
