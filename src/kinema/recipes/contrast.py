"""The recipes of the baselines: MoCo, SimCLR, and supervised learning as a reference."""

from __future__ import annotations

from dataclasses import replace

from kinema.core.clips import ClipSpec
from kinema.core.vocabulary import EncoderEntry
from kinema.data.clips.config import ClipsConfig
from kinema.data.clips.transforms import TransformConfig
from kinema.methods import MoCoConfig, SimCLRConfig, SupervisedConfig
from kinema.networks import EncoderConfig, HeadConfig
from kinema.recipes.entry import VIDEO, MethodEntry
from kinema.recipes.following import queue_followed
from kinema.recipes.plan import Plan
from kinema.recipes.sizes import BRIEF_QUEUE, COCLR_QUEUE, coclr_plan, paper_clips, small_plan
from kinema.training.settings import OptimiserConfig


def small_moco() -> Plan:
    """MoCo for two CPU cores; see :func:`kinema.recipes.sizes.small_plan`."""
    return small_plan(MoCoConfig(), **BRIEF_QUEUE)


def paper_moco() -> Plan:
    """MoCo's own setting, on clips: K = 65,536, a linear head, 200 epochs of SGD at .03 with 256 clips a batch.

    The paper learns from pictures; the clip and the network are this project's choice, and two variants are one window.
    Needs a GPU; not run here.
    """
    return Plan(
        MoCoConfig(
            queue=65_536,
            momentum=0.999,
            temperature=0.07,
            negatives_from="queue",
            siblings="negatives",
            head=HeadConfig(layers=1),
        ),
        epochs=200,
        optimiser=OptimiserConfig(
            "sgd", lr=0.03, weight_decay=1e-4, schedule="steps", drops=(120, 160), warmup_epochs=0
        ),
        data=_of_pictures(TransformConfig(area_min=0.2, jitter=(0.4, 0.4, 0.4, 0.4), jitter_p=1.0, blur_p=0.0)),
        encoder=EncoderConfig("r3d18"),
        batch_size=256,
        precision="16-mixed",
    )


def coclr_moco() -> Plan:
    """InfoNCE in the setting of CoCLR's authors on UCF101, K = 2048: the baseline of CPR."""
    return coclr_plan(replace(MoCoConfig(), **COCLR_QUEUE))


def small_simclr() -> Plan:
    """SimCLR for two CPU cores."""
    return small_plan(SimCLRConfig())


def paper_simclr() -> Plan:
    """SimCLR's own setting, on clips: LARS, its augmentation, its head, 100 epochs with 256 clips a batch.

    Both variants go through the network together, as released. The paper learns from pictures with batches of 4096 at
    .3 · 4096 / 256; the rate is its rule for the batch here. The clip and the network are this project's choice, and
    two variants are one window. Needs a GPU; not run here.
    """
    return Plan(
        SimCLRConfig(temperature=0.1, head=HeadConfig(layers=2, norm=True), one_batch=True),
        epochs=100,
        optimiser=OptimiserConfig("lars", lr=0.3, weight_decay=1e-6, schedule="cosine", warmup_epochs=10),
        data=_of_pictures(TransformConfig(area_min=0.08, jitter=(0.8, 0.8, 0.8, 0.2))),
        encoder=EncoderConfig("r3d18"),
        batch_size=256,
        precision="16-mixed",
    )


def _of_pictures(transform: TransformConfig) -> ClipsConfig:
    """Clips for papers of pictures: one window a clip, augmented twice."""
    return paper_clips(ClipSpec(frames=16, stride=2, size=112, short_side=128), transform=transform, temporal=0.0)


def small_supervised() -> Plan:
    """Supervised learning for two CPU cores."""
    return small_plan(SupervisedConfig())


def coclr_supervised() -> Plan:
    """Supervised learning in the setting of CoCLR's authors on UCF101."""
    return coclr_plan(SupervisedConfig())


MOCO = MethodEntry(
    MoCoConfig,
    "He et al. 2020, arXiv 1911.05722",
    VIDEO,
    "InfoNCE against a queue of keys (the baseline of CPR)",
    "InfoNCE (MoCo)",
    {"small": small_moco, "paper": paper_moco, "coclr": coclr_moco},
    short="MoCo",
    follow=queue_followed,
    reported=lambda _: "infonce",
    role="baseline",
    aliases={"infonce": EncoderEntry("InfoNCE", role="baseline", method="moco")},
)
SIMCLR = MethodEntry(
    SimCLRConfig,
    "Chen et al. 2020, arXiv 2002.05709",
    VIDEO,
    "two variants of each clip against the batch",
    "SimCLR",
    {"small": small_simclr, "paper": paper_simclr},
    role="baseline",
)
SUPERVISED = MethodEntry(
    SupervisedConfig,
    "cross entropy, no paper",
    VIDEO,
    "the reference that is told the labels",
    "Supervised (told the labels)",
    {"small": small_supervised, "coclr": coclr_supervised},
    short="Supervised",
    base=False,
    role="reference",
)
