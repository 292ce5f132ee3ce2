"""XDC's recipe."""

from __future__ import annotations

from dataclasses import replace

from kinema.core.clips import ClipSpec
from kinema.data.clips.transforms import TransformConfig
from kinema.methods import XDCConfig
from kinema.networks import EncoderConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import paper_clips, small_plan
from kinema.training.settings import OptimiserConfig


def small() -> Plan:
    """XDC for two CPU cores: 32 clusters, some thirty videos each, and a slim network for sound.

    The learning rate starts again with every clustering: heads that are drawn anew must be learnt each time.
    """
    plan = small_plan(XDCConfig(), clusters=32)
    return replace(plan, optimiser=replace(plan.optimiser, schedule="restarts"))


def reconstruction() -> Plan:
    """The setting of XDC on Kinetics: R(2+1)D-18 on 8 frames of 112 pixels, ResNet-18 on 40 bands by 100 frames.

    64 clusters, found four times, SGD with a rate that starts again each time and falls to zero; the paper's drops in
    steps. The batch, the epochs and the rate are for one GPU, and a reconstruction: the paper's are for clusters of
    them. Needs a GPU; not run here.
    """
    return Plan(
        XDCConfig(every=30),
        epochs=120,
        optimiser=OptimiserConfig("sgd", lr=1e-2, weight_decay=1e-4, schedule="restarts", warmup_epochs=0),
        data=paper_clips(
            ClipSpec(frames=8, stride=4, size=112, short_side=128),
            transform=TransformConfig(area_min=0.2),
            clips_per_video=2,
        ),
        encoder=EncoderConfig("r2plus1d18", sound="resnet18"),
        batch_size=32,
        precision="16-mixed",
    )


XDC = MethodEntry(
    XDCConfig,
    "Alwassel et al. 2020, arXiv 1911.12667",
    (*VIDEO, "sound"),
    "the clusters that one view finds supervise the other (rgb and sound); forms xdc, sdc, mdc and cdc",
    "XDC (cross-modal clustering)",
    {"small": small, "reconstruction": reconstruction},
    short="XDC",
    base=False,
    beside=False,
)
