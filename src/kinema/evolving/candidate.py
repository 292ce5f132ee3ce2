"""One candidate: trained briefly from the common start, its features clustered, its fitness computed.

``python -m kinema.evolving.candidate THREADS`` answers a job a line; see :mod:`kinema.data.workers`. A job names the
recipe and the function that trains it, so nothing is known here of the search or of how one trains.
"""

from __future__ import annotations

import os
import pkgutil
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinema.data import ClipStore

Job = dict[str, Any]


def judged(job: Job) -> Job:
    """What came of a candidate: its fitness, or the reason why it has none; never an exception.

    Args:
        job: 'refused', the reason why it cannot be, or ''; 'train', the name MODULE:FUNCTION of what trains it: from
            the job and a run's folder to features, float [videos, dim], and the loss; 'threads'; 'k', 's',
            'temperature', 'seed', 'scaling' and 'clusterings' of the fitness; 'folder' for what is written on the way;
            and 'keep', where its run is to stay, or ''. The rest is for 'train'.
    """
    if job["refused"]:
        return {"reason": job["refused"], "seconds": 0.0}
    import torch

    from kinema.core.errors import KinemaError
    from kinema.core.leftovers import SUFFIX, clear, under_way

    torch.set_num_threads(job["threads"])
    began = time.monotonic()
    Path(job["folder"]).mkdir(parents=True, exist_ok=True)
    clear(Path(job["folder"]))
    place = Path(tempfile.mkdtemp(dir=job["folder"], prefix=under_way("candidate"), suffix=SUFFIX))
    try:
        answer = _trained_and_judged(job, place / "run")
        if job["keep"] and not answer["reason"]:
            shutil.rmtree(job["keep"], ignore_errors=True)
            Path(job["keep"]).parent.mkdir(parents=True, exist_ok=True)
            os.rename(place / "run", job["keep"])
    except KinemaError as error:
        answer = {"reason": f"{error.kind}: {error.message}"}
    except Exception as error:
        answer = {"reason": f"{type(error).__name__}: {error}"}
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return {**answer, "seconds": time.monotonic() - began}


def _trained_and_judged(job: Job, run: Path) -> Job:
    from kinema.evaluation import zipf_fitness

    features, loss = pkgutil.resolve_name(job["train"])(job, run)
    how = [job[name] for name in ("k", "s", "seed", "temperature", "scaling", "clusterings")]
    found = zipf_fitness(features, *how)
    figures = {"rank": found.rank, "spread": found.spread, "loss": loss}
    if found.collapsed:
        return {**figures, "reason": found.collapsed}
    return {**figures, "reason": "", "fitness": found.fitness, "hard": found.hard}


def subset_of(store: ClipStore, subset: int, seed: int) -> ClipStore:
    """The store with ``subset`` of its videos, drawn by the seed: the same for every candidate."""
    import torch

    from kinema.core.seeds import generator_at

    rows = sorted(store.frames)
    if len(rows) <= subset:
        return store
    taken = torch.randperm(len(rows), generator=generator_at(seed, "evolve", "subset"))[:subset].tolist()
    return store.select(rows[place] for place in taken)


def main(arguments: list[str]) -> None:
    """Serves until standard input ends."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = arguments[0]  # before numpy and torch are loaded: sums must not depend on the machine
    from kinema.data.workers import serve

    serve(judged)


if __name__ == "__main__":
    main(sys.argv[1:])
