"""What clustering costs as footage grows: a mini-batch at a time (TOT), against features of the whole set for k-means.

    OMP_NUM_THREADS=1 python benchmarks/segmentation_memory.py

TOT's abstract promises "significantly less memory", since nothing holds the features of the data set. Made-up features
of F = 1,024 numbers a frame at 30 frames a second lie in one .npy a minute of video; each contender runs in a process
of its own:

    online    kinema: 100 steps of TOT on two videos a batch, then all frames are segmented
    offline   what is done without it: all features are read, embedded by the same network (untrained), and clustered by
              scikit-learn's k-means (Lloyd, one start, 20 iterations)

Memory is the most that a process had of its own (RssAnon, sampled every 5 ms) above what it had after its imports;
pages of files that the system can drop at any time are not counted. --quick takes two minutes of footage, for a test.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parent))

import record
from memory import Peak

NAME = "segmentation-memory"
FEATURES, RATE, CLUSTERS = 1024, 30, 12
MINUTES = (2, 5, 15, 30, 60)


def write_minutes(folder: Path, minutes: int) -> None:
    """Adds features until there are so many minutes, one file each."""
    (folder / "features").mkdir(parents=True, exist_ok=True)
    for minute in range(minutes):
        file = folder / "features" / f"v{minute:03d}.npy"
        if not file.exists():
            draw = np.random.default_rng(minute)
            steps = np.arange(60 * RATE) * CLUSTERS // (60 * RATE)
            centres = np.random.default_rng(0).normal(size=(CLUSTERS, FEATURES)).astype(np.float32)
            np.save(file, centres[steps] + draw.normal(size=(60 * RATE, FEATURES)).astype(np.float32))


def online(folder: Path, minutes: int, steps: int = 100) -> None:
    """TOT as a run trains it, and the segmentation of every video."""
    import torch

    from kinema.core.method import TrainingContext
    from kinema.core.seeds import generator_at
    from kinema.data.sequences.config import SequencesConfig
    from kinema.data.sequences.files import rows_at_once
    from kinema.data.sequences.reading import read_sequences
    from kinema.methods.tot import TOTConfig
    from kinema.networks.sequence import MLPConfig

    config = TOTConfig(clusters=CLUSTERS)
    table = read_sequences(folder, activity="none")
    table = replace(table, rows=table.rows[:minutes])
    loaded = SequencesConfig(repeats=steps).load(table, [config.needs])
    torch.manual_seed(0)
    method = config.build(MLPConfig(features=FEATURES), TrainingContext(len(table)))
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-3)
    for step, batch in zip(range(steps), loaded.module(config.needs, batch_size=2, seed=0).loader(0), strict=False):
        losses = method.loss(batch, generator_at(0, "loss", step))
        optimiser.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        method.commit(losses)
    block = rows_at_once(FEATURES)
    for frames in loaded.frames:
        z = [method.embed(torch.from_numpy(frames.at(slice(i, i + block)))) for i in range(0, len(frames), block)]
        method.tower.segment(torch.cat(z).detach())


def offline(folder: Path, minutes: int) -> None:
    """All features in memory, embedded and clustered."""
    import torch
    from sklearn.cluster import KMeans

    from kinema.networks.sequence import FrameMLP, MLPConfig

    files = sorted((folder / "features").glob("*.npy"))[:minutes]
    features = np.concatenate([np.load(file) for file in files])
    torch.manual_seed(0)
    network = FrameMLP(MLPConfig(features=FEATURES, hidden=80, dim=40, activation="sigmoid"))
    with torch.no_grad():
        embedded = network(torch.from_numpy(features)).numpy()
    KMeans(CLUSTERS, n_init=1, max_iter=20, random_state=0).fit(embedded)


CONTENDERS: dict[str, Callable[[Path, int], None]] = {"online": online, "offline": offline}


def measured(contender: str, folder: Path, minutes: int) -> dict[str, float]:
    """One contender in a process of its own: MiB and seconds."""
    command = [sys.executable, __file__, "--child", contender, "--folder", str(folder), "--minutes", str(minutes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(contender: str, folder: Path, minutes: int) -> None:
    import sklearn.cluster
    import torch

    import kinema.data.sequences.config
    import kinema.methods.tot  # noqa: F401 - what is imported is not what is measured

    assert sklearn.cluster
    torch.set_num_threads(1)
    torch.ones(64, 64) @ torch.ones(64, 64)
    peak, began = Peak(), time.perf_counter()
    CONTENDERS[contender](folder, minutes)
    print(json.dumps({"seconds": time.perf_counter() - began, "mib": peak.mib()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", choices=CONTENDERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--minutes", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.minutes)
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        for minutes in MINUTES[:1] if arguments.quick else MINUTES:
            write_minutes(Path(place), minutes)
            found = {name: measured(name, Path(place), minutes) for name in CONTENDERS}
            ratio = found["offline"]["mib"] / found["online"]["mib"]
            rows.append({"minutes": minutes, "frames": minutes * 60 * RATE, "memory_ratio": ratio, **found})
            print(
                f"{minutes} min: online {found['online']['mib']:.0f} MiB, {found['online']['seconds']:.1f} s; "
                f"offline {found['offline']['mib']:.0f} MiB, {found['offline']['seconds']:.1f} s; {ratio:.1f} times",
                flush=True,
            )
    if not arguments.quick:
        record.write(NAME, "OMP_NUM_THREADS=1 python benchmarks/segmentation_memory.py", ("scikit-learn",), rows=rows)


if __name__ == "__main__":
    main()
