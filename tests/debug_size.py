"""Every method at a size that a test can afford, and batches for it."""

from dataclasses import fields, replace

import torch

from kinema.core.clips import SOUND, VIEWS, ClipBatch, ClipSpec
from kinema.core.method import Method, TrainingContext
from kinema.core.seeds import generator_at
from kinema.methods import JoinedConfig
from kinema.networks import EncoderConfig, HeadConfig, PredictorConfig
from kinema.recipes.table import METHODS

BATCH, VIDEOS, CLASSES, BANDS, TIMES = 8, 16, 3, 16, 24
CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)
CONTEXT = TrainingContext(rows=VIDEOS, classes=CLASSES)
SMALL = {"negatives_from": "both", "queue": VIDEOS, "head": HeadConfig(out=16), "stages": 3, "k": 2, "negatives": 6}
SMALL |= {"clusters": 4, "keep": 0.5, "temperature": 0.2}
SMALL |= {
    "grid": 2,
    "width": 4,
    "motion_frames": 2,
    "predictor": PredictorConfig(width=24, heads=2, encoder=1, decoder=1),
}


FORMS = {"xdc-mdc": ("xdc", {"form": "mdc"}), "xdc-cdc": ("xdc", {"form": "cdc"})}
FORMS |= {"be-triplet": ("be", {"form": "triplet"}), "dsm-triplets": ("dsm", {"form": "triplets"})}
FORMS |= {"elo-sound": ("elo", {"others": ("sound",)})}
"""Methods in a form that is not their first."""

EVERY = [*METHODS, *FORMS, "joined"]
"""All that keeps the contract: every method, in every form that has code of its own, and two beside one another."""


def make_config(name, **changes):
    """The method's settings, as far as it has them, at the debug size."""
    if name == "joined":
        return JoinedConfig(make_config("moco", **changes), (make_config("be-regulariser", **changes),), (0.5,))
    if name in FORMS:
        name, form = FORMS[name]
        changes = {**form, **changes}
    kind = METHODS[name].config
    known = {item.name for item in fields(kind)}
    return kind(**{key: value for key, value in {**SMALL, **changes}.items() if key in known})


def make_method(name, *, seed=0, norm="group", context=CONTEXT, **changes) -> Method:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(make_config(name, **changes), norm=norm, context=context)


def build(config, *, norm="group", context=CONTEXT) -> Method:
    return config.build(EncoderConfig("slim", width=4, norm=norm), context).train()


def make_batch(method, step, *, rows=slice(0, BATCH), variants=None):
    """Clips ``rows`` of a step: all videos come by in turn, two of each recording; labels only for who reads them."""
    index = (torch.arange(BATCH) + step * BATCH) % VIDEOS
    draw = generator_at(7, "clips", step)
    made = []
    for _ in range(method.needs.variants if variants is None else variants):
        clips = {view: noise(view, draw) for view in VIEWS}
        made.append({view: clips[view][rows] for view in method.needs.views})
    label = (index % CLASSES)[rows] if method.needs.labels else None
    beside = {name: x[rows] for name, x in companions(method, draw).items()}
    batch = ClipBatch(tuple(made), index[rows], (index // 2)[rows], label, **beside)
    return with_negatives(batch, method, step, rows)


def noise(view, draw):
    """Clips of a view, or what is heard of them."""
    shape = (BANDS, TIMES) if view == SOUND else (CLIP.frames, CLIP.size, CLIP.size)
    return torch.randn(BATCH, VIEWS[view], *shape, generator=draw)


def with_negatives(batch, method, step, rows):
    """The negatives that the method's disturbances make, of noise; every third clip lacks one."""
    draw = generator_at(7, "negatives", step)
    made = []
    for _ in [each for each in method.needs.disturbances if each.negative]:
        clips = {view: noise(view, draw) for view in VIEWS if view != SOUND}
        made.append({view: clips[view][rows] for view in method.needs.views})
    if not made:
        return batch
    places = torch.arange(BATCH)[rows, None] + torch.arange(len(made))
    return replace(batch, negatives=tuple(made), negatives_valid=places % 3 > 0)


def companions(method, draw):
    """What the method wants beside the clips; two motion clips are missing, one of them a target."""
    wanted, made = method.needs.companions, {}
    if wanted is not None and wanted.keyframe:
        made["keyframe"] = torch.randn(BATCH, 3, CLIP.size, CLIP.size, generator=draw)
    if wanted is not None and wanted.motion_frames:
        shape = (BATCH, 1 + wanted.negatives, 2, wanted.motion_frames, 2 * CLIP.size, 2 * CLIP.size)
        made["motion_clips"] = torch.randn(shape, generator=draw)
        made["motion_clips_valid"] = torch.ones(shape[:2], dtype=torch.bool)
        made["motion_clips_valid"][1, -1] = made["motion_clips_valid"][5, 0] = False
    return made


def generator(step):
    return generator_at(7, "loss", step)


def refreshed(method, step=0, optimiser=None):
    """Random features of all videos, as they are handed over before an epoch; the optimiser forgets what is new."""
    if method.refreshes():
        draw = generator_at(7, "features", step)
        dims = {view: method.towers()[view].encoder.dim for view in method.trains}
        told = method.refresh({view: torch.randn(VIDEOS, dim, generator=draw) for view, dim in dims.items()})
        for parameter in told.renewed if optimiser is not None else ():
            optimiser.state.pop(parameter, None)


def fill(method):
    """Steps without an optimiser until the memory is full; returns the next step's number."""
    refreshed(method)
    for step in range(10):
        losses = method.loss(make_batch(method, step), generator(step))
        if losses.ready:
            return step
        method.commit(losses)
    raise AssertionError("the method never becomes ready")


def train_step(method, optimiser, step):
    if step % 3 == 0:
        refreshed(method, step, optimiser)
    losses = method.loss(make_batch(method, step), generator(step))
    if losses.ready:
        optimiser.zero_grad(set_to_none=True)
        losses.total.backward()
        optimiser.step()
    method.commit(losses)
    return losses


def snapshot(method):
    return {name: value.detach().clone() for name, value in method.state_dict().items()}
