"""CMD's recipe."""

from __future__ import annotations

from dataclasses import replace

from kinema.core.clips import ClipSpec
from kinema.data.clips.transforms import TransformConfig
from kinema.methods import CMDConfig
from kinema.networks import EncoderConfig, HeadConfig, PredictorConfig
from kinema.recipes.entry import MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import paper_clips, small_plan
from kinema.training.settings import OptimiserConfig


def small() -> Plan:
    """CMD for two CPU cores.

    Its motion clips are half as large as its clips and its guiding networks slim, so that a step costs not much more
    than one of SimCLR; its temperature of context matching falls from .4 to .1, which may help it to start.
    """
    predictor = PredictorConfig(width=64, heads=4, encoder=1, decoder=1)
    head = HeadConfig(norm=True, affine=True)
    return small_plan(CMDConfig(), grid=4, shrink=2, width=8, predictor=predictor, first_temperature=0.4, head=head)


def paper() -> Plan:
    """The setting of CMD on UCF101: C3D, 16 frames of 112 pixels, 120 epochs of SGD at 5e-4 a clip of the batch.

    The videos are to be encoded with a keyframe every 12 frames. Needs a GPU; not run here.
    """
    config = CMDConfig(
        head=HeadConfig(layers=2, out=512, norm=True, affine=True, hidden=2048),
        predictor=PredictorConfig(dropout=0.1),
        siblings="negatives",
    )
    return Plan(
        config,
        epochs=120,
        optimiser=OptimiserConfig(
            "sgd", lr=5e-4 * 32, weight_decay=1e-3, warmup_epochs=5, clip_norm=15.0, nesterov=True
        ),
        data=paper_clips(
            ClipSpec(frames=16, stride=4, size=112, short_side=128), transform=TransformConfig(jitter_p=0.5)
        ),
        encoder=EncoderConfig("c3d"),
        batch_size=32,
        precision="16-mixed",
    )


def kinetics() -> Plan:
    """CMD on Kinetics-400: R(2+1)D-26, which did best there; its schedule is that of UCF101."""
    return replace(paper(), encoder=EncoderConfig("r2plus1d26"))


CMD = MethodEntry(
    CMDConfig,
    "Huang et al. 2021, arXiv 2104.00862",
    ("rgb", "residual"),
    "a clip finds the keyframe of its video and foretells the motion vectors that follow it",
    "CMD (context and motion)",
    {"small": small, "paper": paper, "paper-kinetics": kinetics},
    short="CMD",
)
