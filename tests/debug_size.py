"""Every method at a size that a test can afford, and batches for it."""

from dataclasses import fields, replace

import torch

from kinema.core.clips import ClipNeeds, ClipSpec
from kinema.core.method import Method, TrainingContext
from kinema.core.pairs import VIEWS, PairNeeds
from kinema.core.questions import QuestionNeeds
from kinema.core.seeds import generator_at
from kinema.core.sequences import SequenceNeeds
from kinema.core.spans import SpanNeeds
from kinema.core.tracklets import TrackletNeeds
from kinema.data.clips.config import ClipsConfig
from kinema.data.documents.config import DocumentsConfig
from kinema.data.pairs.config import PairsConfig
from kinema.data.pairs.example import WORDS
from kinema.data.questions.config import QuestionsConfig
from kinema.data.questions.example import QuestionExample
from kinema.data.sequences.config import SequencesConfig
from kinema.data.sequences.example import WIDTH
from kinema.data.tracklets.config import TrackletsConfig
from kinema.methods import ASOTSettings, JoinedConfig, TOTSettings
from kinema.networks import EncoderConfig, HeadConfig, PredictorConfig
from kinema.networks.images import ImageConfig
from kinema.networks.pairs import PairEncoderConfig, PairTextConfig
from kinema.networks.questions import QuestionEncoderConfig
from kinema.networks.sequence import MLPConfig
from kinema.networks.text import TextConfig
from kinema.recipes.plan import Plan
from kinema.recipes.table import METHODS

CLIP = ClipSpec(frames=4, stride=1, size=16, short_side=16)
DATA = {"clips": ClipsConfig(clip=CLIP), "documents": DocumentsConfig(vocabulary=64)}
DATA |= {"sequences": SequencesConfig(), "tracklets": TrackletsConfig(), "pairs": PairsConfig()}
DATA |= {"questions": QuestionsConfig(max_length=16)}
"""Settings of data by what a batch counts; their own small examples give the batches."""

ENCODERS = {
    "clips": EncoderConfig("slim", width=4),
    "documents": TextConfig(layers=2, width=16, heads=2, vocabulary=64, positions=16),
    "sequences": MLPConfig(features=WIDTH, hidden=8, dim=5),
    "tracklets": ImageConfig(width=4, norm="group"),
    "pairs": PairEncoderConfig(
        image=ImageConfig(width=4, norm="group"), text=PairTextConfig(hidden=8, features=WORDS, dropout=0.1)
    ),
    "questions": QuestionEncoderConfig(
        text=TextConfig(layers=1, width=16, heads=2, vocabulary=QuestionExample.vocabulary, positions=16),
        features=QuestionExample.features,
    ),
}
"""The network of each, at the debug size."""

UNITS = {ClipNeeds: "clips", SpanNeeds: "documents", SequenceNeeds: "sequences", TrackletNeeds: "tracklets"}
UNITS |= {PairNeeds: "pairs", QuestionNeeds: "questions"}
BATCH, VIDEOS, CLASSES = (getattr(DATA["clips"].example(), name) for name in ("size", "rows", "classes"))
CONTEXT = TrainingContext(rows=VIDEOS, classes=CLASSES)
SMALL = {"negatives_from": "both", "queue": VIDEOS, "head": HeadConfig(out=16), "stages": 3, "k": 2, "negatives": 6}
SMALL |= {"clusters": 4, "keep": 0.5, "temperature": 0.2}
SMALL |= {
    "grid": 2,
    "width": 4,
    "motion_frames": 2,
    "predictor": PredictorConfig(width=24, heads=2, encoder=1, decoder=1),
}
SMALL_SEQUENCE = {"clusters": 4, "temperature": 0.2}
SMALL_SEQUENCE |= {"tot": TOTSettings(frames=16, bins=4, freeze_steps=0), "asot": ASOTSettings(frames=16)}
SMALL_TRACKLET = {"frames": 3, "instances": 2, "transformer_rate": 0.5}
SMALL_PAIR = {"bits": 16}
SMALL_QUESTION = {"pretrain_epochs": 1, "temperature": 0.2}
SMALL_TEXT = {"min_length": 2, "max_length": 8, "temperature": 0.2}


FORMS = {"xdc-mdc": ("xdc", {"form": "mdc"}), "xdc-cdc": ("xdc", {"form": "cdc"})}
FORMS |= {"be-triplet": ("be", {"form": "triplet"}), "dsm-triplets": ("dsm", {"form": "triplets"})}
FORMS |= {"be-triplets": ("be", {"form": "triplets", "apart": 1})}
FORMS |= {"dsm-released": ("dsm", {"negative": "elsewhere", "apart": 1, "own_among": 100})}
FORMS |= {"simclr-one-batch": ("simclr", {"one_batch": True, "own_among": 100})}
FORMS |= {"elo-sound": ("elo", {"others": ("sound",)})}
FORMS |= {f"declutr-{only}": ("declutr", {"objective": only}) for only in ("contrast", "masked-lm")}
FORMS |= {"tot-asot": ("tot", {"form": "asot"})}
FORMS |= {f"trl-{head}": ("trl", {"head": head, "transformer": False}) for head in ("lstm", "mean", "frame")}
FORMS |= {"trl-triplet": ("trl", {"triplet_weight": 0.5, "identity_weight": 0.5, "residual": "frame", "dim": 6})}
FORMS |= {f"dcvh-{view}": ("dcvh", {"views": (view,)}) for view in VIEWS}
FORMS |= {
    "dcvh-bce": ("dcvh", {"softmax": 0.0, "classifier": "own"}),
    "dcvh-softmax": ("dcvh", {"nu": 0.0, "alignment": 10.0}),
}
FORMS |= {
    "video-qa-global": ("video-qa", {"alignment": "global"}),
    "video-qa-pretext": ("video-qa", {"task": "question"}),
}
FORMS |= {"video-qa-plain": ("video-qa", {"contrast": 0.0, "localization": 0.0, "window": 0.0})}
"""Methods in a form that is not their first."""

EVERY = [*METHODS, *FORMS, "joined"]
"""All that keeps the contract: every method, in every form that has code of its own, and two beside one another."""

TEXTS = [name for name in EVERY[:-1] if METHODS[FORMS.get(name, (name,))[0]].modalities == ("text",)]
SEQUENCES = [name for name in EVERY[:-1] if METHODS[FORMS.get(name, (name,))[0]].modalities == ("sequence",)]
TRACKLETS = [name for name in EVERY[:-1] if METHODS[FORMS.get(name, (name,))[0]].modalities == ("tracklet",)]
PAIRS = [name for name in EVERY[:-1] if METHODS[FORMS.get(name, (name,))[0]].modalities == VIEWS]
QUESTIONS = [name for name in EVERY[:-1] if METHODS[FORMS.get(name, (name,))[0]].modalities == ("question",)]
CLIPS = [name for name in EVERY if name not in TEXTS + SEQUENCES + TRACKLETS + PAIRS + QUESTIONS]
"""Those that learn from documents, from sequences, from tracklets, from pairs, from clips, and from questions."""


def make_config(name, **changes):
    """The method's settings, as far as it has them, at the debug size."""
    if name == "joined":
        return JoinedConfig(make_config("moco", **changes), (make_config("be-regulariser", **changes),), (0.5,))
    groups = ((TEXTS, SMALL_TEXT), (SEQUENCES, SMALL_SEQUENCE), (TRACKLETS, SMALL_TRACKLET), (PAIRS, SMALL_PAIR))
    groups += ((QUESTIONS, SMALL_QUESTION),)
    small = next((own for names, own in groups if name in names), SMALL)
    if name in FORMS:
        name, form = FORMS[name]
        changes = {**form, **changes}
    kind = METHODS[name].config
    known = {item.name for item in fields(kind)}
    return kind(**{key: value for key, value in {**small, **changes}.items() if key in known})


def make_method(name, *, seed=0, norm="group", text_dropout=0.1, context=CONTEXT, **changes) -> Method:
    """A method; ``norm`` is of networks that see clips or crops, ``text_dropout`` of those that read text."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(make_config(name, **changes), norm=norm, text_dropout=text_dropout, context=context)


def build(config, *, norm="group", text_dropout=0.1, context=CONTEXT) -> Method:
    unit = UNITS[type(config.needs)]
    if context is CONTEXT:
        example = DATA[unit].example()
        context = TrainingContext(rows=example.rows, classes=example.classes)
    return config.build(sized(unit, norm, text_dropout), context).train()


def sized(unit, norm, text_dropout):
    """The network of a unit with another norm and dropout, where it has them."""
    encoder = ENCODERS[unit]
    if unit == "pairs":
        image, text = replace(encoder.image, norm=norm), replace(encoder.text, dropout=text_dropout)
        return replace(encoder, image=image, text=text)
    if unit == "questions":
        return replace(encoder, dropout=text_dropout, text=replace(encoder.text, dropout=text_dropout))
    changed = {"clips": {"norm": norm}, "tracklets": {"norm": norm}, "documents": {"dropout": text_dropout}}
    return replace(encoder, **changed.get(unit, {}))


def make_plan(name, *, epochs=2, batch_size=BATCH, seed=0, **changes) -> Plan:
    """A plan of the method at the debug size."""
    config = make_config(name, **changes)
    unit = UNITS[type(config.needs)]
    encoder = ENCODERS[unit]
    return Plan(config, epochs=epochs, data=DATA[unit], encoder=encoder, batch_size=batch_size, seed=seed)


def make_batch(method, step, *, rows=slice(0, BATCH), variants=None):
    """The batch of a step, as the method's needs describe it, or some rows of it."""
    needs = method.needs if variants is None else replace(method.needs, variants=variants)
    return DATA[UNITS[type(needs)]].example().batch(needs, step, rows=rows)


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
