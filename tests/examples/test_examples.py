"""Every example runs as it stands, in seconds, and does what it says."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_plain_pytorch_learns():
    """The loss of a batch of 32 begins near that of a guess among 62 others and falls."""
    run = subprocess.run(
        [sys.executable, EXAMPLES / "plain_pytorch.py"], capture_output=True, text=True, timeout=120, check=True
    )
    told = re.fullmatch(r"loss (\d\.\d+) -> (\d\.\d+); embeddings \(32, 64\)\n", run.stdout)
    assert told, run.stdout
    assert float(told[2]) < 0.7 * float(told[1])
    assert "lightning_fabric" not in (EXAMPLES / "plain_pytorch.py").read_text()


def test_its_textures_drift():
    drifting = runpy.run_path(str(EXAMPLES / "plain_pytorch.py"))["drifting"]
    frames = drifting(2).frames
    assert frames.shape == (2, 2, 5, 32, 32, 3)
    for clip, axis in ((0, 0), (1, 1)):
        before, after = frames[clip, 0, 1], frames[clip, 0, 2]
        assert (before.roll(2, dims=axis) == after).all()
        assert not (before.roll(2, dims=1 - axis) == after).all()
