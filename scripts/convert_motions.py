"""Makes ``src/kinema/data/mocap/motions.npz`` from the motion files of PyBullet's data.

    pip install pybullet==3.2.7
    python scripts/convert_motions.py

The files are read where pip has put them, without importing the package. Their numbers have at most ten decimals; the
array holds them as whole numbers of 1e-10, so nothing is lost. NOTICE says whose they are.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kinema.data.mocap.config import CLASSES
from kinema.data.mocap.motions import MOTIONS_FILE, PER_UNIT


def source_folder() -> Path:
    """The folder of PyBullet's motion files; ends the program with a sentence where PyBullet is not installed."""
    spec = find_spec("pybullet_data")
    if spec is None or spec.origin is None:
        raise SystemExit("pybullet is not installed, whose data holds the motion files: pip install pybullet==3.2.7")
    return Path(spec.origin).parent / "data" / "motions"


def read_frames(path: Path) -> np.ndarray:
    """The frames of one motion file in units of 1e-10: int64 [F, 44].

    Raises:
        ValueError: a number has more than ten decimals.
    """
    frames = np.array(json.loads(path.read_text(encoding="utf-8"))["Frames"], dtype=np.float64)
    whole = np.rint(frames * PER_UNIT).astype("<i8")
    if not np.array_equal(whole / PER_UNIT, frames):
        raise ValueError(f"'{path}' holds numbers with more than ten decimals; the array would lose something.")
    return whole


def main() -> None:
    """Writes the array file; the same bytes from the same files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=MOTIONS_FILE)
    out: Path = parser.parse_args().out
    folder = source_folder()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for label in CLASSES:
            entry = zipfile.ZipInfo(f"{label}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, read_frames(folder / f"humanoid3d_{label}.txt"), allow_pickle=False)
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
