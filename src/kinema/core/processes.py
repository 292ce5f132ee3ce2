"""Which process of several this one is, where they train together: by what torchrun, or SLURM's srun, tells each.

Read from the environment alone, so that the command line knows it before torch is loaded.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from kinema.core.errors import KinemaError


class RankLostError(KinemaError):
    """Another process of the training ended, so that this one cannot go on."""

    kind = "processes"
    resumable = True


class DismissedError(KinemaError):
    """The first process stopped before there was anything to do; it says why, and this one nothing."""

    kind = "dismissed"


class Place(NamedTuple):
    """Where a process stands among those that train together.

    Args:
        rank: its number among all, from 0.
        world: how many there are.
        local: how many of them are on this machine.
        by: who started them: 'kinema' (--devices), 'torchrun', 'srun', or '' for nobody.
    """

    rank: int = 0
    world: int = 1
    local: int = 1
    by: str = ""


OURS = "KINEMA_DEVICES"
"""Set in processes that ``kinema pretrain --devices`` started."""


def place() -> Place:
    """Where this process stands; the first of one, where nobody started several."""
    for by, names in _NAMES.items():
        try:
            rank, world, local = (int(os.environ[name]) for name in names)
        except (KeyError, ValueError):
            continue
        if by == "srun":
            if os.environ.get("SLURM_JOB_NAME") in ("bash", "interactive"):  # one that a person types in
                continue
            local = world // max(local, 1)
        if world > 1:
            return Place(rank, world, local, "kinema" if os.environ.get(OURS) else by)
    return Place()


_NAMES = {
    "torchrun": ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
    "srun": ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES"),
}
"""The variables of each, the last of them being processes, or machines, of which there is one share each."""
