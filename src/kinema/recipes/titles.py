"""What a report calls the encoders that methods train, and what it compares with what: a row a name.

An encoder goes by its method's name, but for these: 'random' is an untrained network, 'infonce' is what MoCo trains,
and 'coclr' is CPR with one stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from kinema.core.vocabulary import Contrast, EncoderEntry

CASCADE = Contrast("coclr", "Against one stage of mining (CoCLR, {}), the cascade is")

ENCODERS: Mapping[str, EncoderEntry] = MappingProxyType(
    {
        "random": EncoderEntry("Untrained network", "Untrained", role="untrained"),
        "infonce": EncoderEntry("InfoNCE", role="baseline", method="moco"),
        "moco": EncoderEntry("InfoNCE (MoCo)", "MoCo", role="baseline"),
        "simclr": EncoderEntry("SimCLR", role="baseline"),
        "coclr": EncoderEntry("CPR, 1 stage (CoCLR)", "CoCLR", method="cpr", priority=1, settings=("guide",)),
        "cpr": EncoderEntry("CPR", priority=2, settings=("stages", "guide"), contrast=CASCADE),
        "cpr-bank": EncoderEntry("CPR with memory banks", "CPR bank", settings=("stages", "guide")),
        "be": EncoderEntry("BE (background erasing)", "BE"),
        "be-regulariser": EncoderEntry("BE regulariser"),
        "cmd": EncoderEntry("CMD (context and motion)"),
        "dsm": EncoderEntry("DSM (scene and motion apart)", "DSM"),
        "elo": EncoderEntry("ELo (evolved losses)", "ELo"),
        "xdc": EncoderEntry("XDC (cross-modal clusters)", "XDC"),
        "supervised": EncoderEntry("Supervised (told the labels)", "Supervised", role="labelled"),
    }
)
"""Encoders by name, in the order in which a report lists them."""
