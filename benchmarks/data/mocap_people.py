"""What tells people apart in Mocap-people, and how many frames it takes: rank-1 of simple features, without a network.

    python benchmarks/data/mocap_people.py OUT

Draws three sets into OUT, where they are not there yet: identity by clothes, by build and gait, and by gait alone.
Every tracklet of the test half looks for its person among those of the other cameras, so chance is one of the people.
On crops: colour histograms in six stripes, and grey crops of 16 x 32 pixels. On the truth, for several seeds: the
angles of all joints. But for colours, directions in which people differ are learnt on the training half (LDA).

    frame     one frame, the middle one
    mean      the mean over the frames
    spread    their mean and standard deviation: what they say in any order
    order     those, and how every joint follows the right hip from frame to frame: what only a sequence says

Writes benchmarks/results/data-mocap-people.json. With ``--order`` it measures instead what the order of
grey crops says of gait alone, with cameras all round and with cameras beside people: how every component (PCA) of a
crop goes on from one frame to those after it. Writes benchmarks/results/data-mocap-people-order.json.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import record

from kinema.data.mocap import rotations
from kinema.data.mocap.motions import JOINTS
from kinema.data.mocap.people import MocapPeopleConfig, write_mocap_people
from kinema.data.mocap.people.looks import draw_looks
from kinema.data.mocap.people.plan import Sighting, plan_sightings
from kinema.data.mocap.people.walking import draw_gait, perform_sighting

SETS = {
    "clothes": MocapPeopleConfig(tracklets=1),
    "build and gait": MocapPeopleConfig(tracklets=1, identity="body"),
    "gait alone": MocapPeopleConfig(tracklets=1, identity="body", proportions=0.0),
}
BESIDE = replace(SETS["gait alone"], camera_range=0.0, view_range=30.0)
LAGS = 8
"""Frames, to both sides, over which joints are compared with the hip."""

Array: TypeAlias = NDArray[np.float64]


def rank_1(features: Array, sightings: list[Sighting]) -> float:
    """The share of the test half's tracklets whose nearest, of those of other cameras, is the same person's."""
    rows = [n for n, each in enumerate(sightings) if each.split == "test"]
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    hits = []
    for row in rows:
        others = [n for n in rows if sightings[n].camera != sightings[row].camera]
        nearest = others[int(np.argmax(unit[others] @ unit[row]))]
        hits.append(sightings[nearest].person == sightings[row].person)
    return float(np.mean(hits))


def learnt(train: Array, people: list[int], features: Array) -> Array:
    """Features in the directions in which the training people differ."""
    lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    scale = StandardScaler().fit(train)
    found: Array = lda.fit(scale.transform(train), people).transform(scale.transform(features))
    return found


def ordered(frames: Array) -> Array:
    """How every column follows the column 'right hip' of a tracklet [T, D], over the lags: float64 [D * lags]."""
    moved = (frames - frames.mean(axis=0)) / (frames.std(axis=0) + 1e-3)
    hip = moved[:, 3 * (JOINTS.index("right_hip") - 1) + 2]
    pairs = [
        (hip[max(-lag, 0) : len(hip) - max(lag, 0)], moved[max(lag, 0) : len(hip) - max(-lag, 0)])
        for lag in range(-LAGS, LAGS + 1)
    ]
    return np.concatenate([one @ other / len(one) for one, other in pairs])


def found(frames: Array, sightings: list[Sighting], *, order: bool) -> dict[str, float]:
    """Rank-1 of what one frame, several, and their order say.

    Args:
        frames: float64 [N, T, D].
        sightings: the N tracklets.
        order: whether the columns are joints, so that their order can be told simply.
    """
    half = [n for n, each in enumerate(sightings) if each.split == "train"]
    people = [sightings[n].person for n in half]
    tall = frames.shape[1]
    spread = np.concatenate([frames.mean(axis=1), frames.std(axis=1)], axis=1)
    each = frames[half].reshape(-1, frames.shape[2])
    told = {"frame": learnt(each, np.repeat(people, tall).tolist(), frames[:, tall // 2])}
    whole = {"mean": frames.mean(axis=1), "spread": spread}
    if order:
        whole["order"] = np.concatenate([spread, np.stack([ordered(one) for one in frames])], axis=1)
    told |= {name: learnt(one[half], people, one) for name, one in whole.items()}
    return {name: rank_1(one, sightings) for name, one in told.items()}


def read_crops(folder: Path, sightings: list[Sighting]) -> NDArray[np.uint8]:
    """uint8 [N, T, H, W, 3]."""
    return np.stack([[np.asarray(Image.open(folder / name)) for name in each.files] for each in sightings])


def colours(crop: NDArray[np.uint8]) -> Array:
    """The square roots of a crop's hues (by their saturation) and brightnesses, in six stripes of its middle."""
    height, width = crop.shape[:2]
    hsv = np.asarray(Image.fromarray(crop).convert("HSV"), dtype=np.float64)[:, width // 4 : -width // 4]
    counts = []
    for stripe in np.array_split(hsv, 6):
        hue, saturation, value = stripe.reshape(-1, 3).T
        counts.append(np.histogram(hue, 16, (0, 256), weights=saturation / 255)[0])
        counts.append(np.histogram(value, 8, (0, 256))[0])
    shares: Array = np.concatenate(counts) / (height * width)
    return np.sqrt(shares)


def components(crops: NDArray[np.uint8], sightings: list[Sighting]) -> Array:
    """Grey crops of 16 x 32 pixels in the 60 directions in which those of the training half vary most: [N, T, 60]."""
    small = [[Image.fromarray(c).convert("L").resize((16, 32), Image.Resampling.BOX) for c in each] for each in crops]
    grey = np.asarray([[np.asarray(c, dtype=np.float64).ravel() / 255 for c in each] for each in small])
    train = [n for n, each in enumerate(sightings) if each.split == "train"]
    pca = PCA(60, random_state=0).fit(grey[train].reshape(-1, grey.shape[2]))
    flat: Array = pca.transform(grey.reshape(-1, grey.shape[2]))
    return flat.reshape(*grey.shape[:2], -1)


def on_order(folder: Path, config: MocapPeopleConfig) -> dict[str, float]:
    """Rank-1 of grey crops, and of how their components go on over half of a tracklet."""
    write_mocap_people(folder, config)
    sightings = plan_sightings(config)
    frames = components(read_crops(folder, sightings), sightings)
    train = [n for n, each in enumerate(sightings) if each.split == "train"]
    moved = (frames - frames.mean(axis=1, keepdims=True)) / (frames.std(axis=1, keepdims=True) + 1e-3)
    tall = frames.shape[1]
    lags = range(1, tall // 2 + 1)
    along = np.concatenate([(moved[:, : tall - lag] * moved[:, lag:]).mean(axis=1) for lag in lags], axis=1)
    order = rank_1(learnt(along[train], [sightings[n].person for n in train], along), sightings)
    return found(frames, sightings, order=False) | {"order": order}


def on_crops(folder: Path, config: MocapPeopleConfig) -> dict[str, dict[str, float]]:
    """Rank-1 of colours and of grey crops."""
    sightings = plan_sightings(config)
    crops = read_crops(folder, sightings)
    hues = np.stack([[colours(crop) for crop in each] for each in crops])
    return {
        "colours": {
            "frame": rank_1(hues[:, config.frames // 2], sightings),
            "mean": rank_1(hues.mean(axis=1), sightings),
        },
        "grey crops": found(components(crops, sightings), sightings, order=False),
    }


def on_truth(config: MocapPeopleConfig) -> dict[str, float]:
    """Rank-1 of the angles of all joints: the rotation of each from its parent, as a vector in radians."""
    sightings = plan_sightings(config)
    motions = [
        perform_sighting(
            each, draw_gait(config, each.person), draw_looks(config, each.person).bearing, config
        ).rotation[:, 1:]
        for each in sightings
    ]
    angles = rotations.to_vector(np.stack(motions))
    return found(angles.reshape(*angles.shape[:2], -1), sightings, order=True)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="of the truth")
    parser.add_argument("--order", action="store_true", help="what the order of grey crops says, instead")
    asked = parser.parse_args()
    console, figures, drawn = Console(), {}, {}
    if asked.order:
        sets = {"gait alone": SETS["gait alone"], "gait alone, beside": BESIDE}
        rank = {
            name: on_order(asked.out / name.replace(", ", "-").replace(" ", "-"), each) for name, each in sets.items()
        }
        console.print(rank)
        record.write("data-mocap-people-order", "python benchmarks/data/mocap_people.py OUT --order", rank_1=rank)
        return
    for name, config in SETS.items():
        folder = asked.out / name.replace(" ", "-")
        drawn[name] = write_mocap_people(folder, config).seconds
        truth = [on_truth(MocapPeopleConfig(**config.record() | {"seed": seed, "motions": config.motions}))
                 for seed in range(asked.seeds)]  # fmt: skip
        figures[name] = {row: dict(each) for row, each in on_crops(folder, config).items()}
        figures[name]["joint angles"] = {key: float(np.mean([each[key] for each in truth])) for key in truth[0]}
        spread = {key: float(np.std([each[key] for each in truth], ddof=1)) for key in truth[0]}
        figures[name]["joint angles, deviation over seeds"] = spread
        for row, each in figures[name].items():
            console.print(f"{name}, {row}: " + ", ".join(f"{key} {100 * value:.1f}" for key, value in each.items()))
    people = sum(each.split == "test" for each in plan_sightings(SETS["clothes"])) / SETS["clothes"].cameras
    command = f"python benchmarks/data/mocap_people.py OUT --seeds {asked.seeds}"
    record.write("data-mocap-people", command, chance=1 / people, seconds_to_draw=drawn, rank_1=figures)


if __name__ == "__main__":
    main()
