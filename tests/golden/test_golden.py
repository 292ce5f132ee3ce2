"""Nothing that exists changes a bit: every method's training, resumed or not, equals what was recorded, hash by hash.

``golden.json`` was written by ``recording.py``; ``run`` is a run that an earlier layout of the code began and that was
stopped in its last phase. Who means to change a result records anew, and says so in the commit.

Processors do not agree on the last bit, whatever ``PORTABLE`` asks for: ``golden-xeon.json`` holds the hashes of the
same code (f347c4a) on another one, an Intel Xeon. What is found is held against the recording that most methods agree
with, whole.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "golden.json").read_text())


def over(below, above):
    """A recording with the values of another one in place of its own, key by key."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return below | {key: over(below.get(key), value) for key, value in above.items()}


RECORDINGS = [GOLDEN, over(GOLDEN, json.loads((HERE / "golden-xeon.json").read_text()))]
FIGURES = ("retrieval", "diagnostics")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        torch.__version__.partition("+")[0] != GOLDEN["torch"],
        reason=f"the hashes were recorded with torch {GOLDEN['torch']}, and arithmetic may differ in another version",
    ),
]


@pytest.fixture(scope="module")
def now(tmp_path_factory):
    """What the code of today comes to."""
    from recording import PORTABLE

    out = tmp_path_factory.mktemp("golden") / "now.json"
    environment = {**os.environ, **PORTABLE, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, HERE / "recording.py", out]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def golden(now):
    """The recording of this kind of processor."""
    of = now["methods"]
    return max(
        RECORDINGS, key=lambda each: sum(each["methods"][label]["towers"] == of[label]["towers"] for label in of)
    )


def test_the_same_methods_are_recorded(now):
    assert now["methods"].keys() == GOLDEN["methods"].keys()
    assert now["digest"] == GOLDEN["digest"]


@pytest.mark.parametrize("label", GOLDEN["methods"])
def test_a_method_is_what_it_was(now, golden, label):
    was, found = golden["methods"][label], now["methods"][label]
    assert found["phases"] == was["phases"]
    assert found["towers"] == was["towers"]
    assert found["export"] == was["export"]
    assert found["resumed"] is True
    for protocol in FIGURES:
        assert found[protocol] == pytest.approx(was[protocol], rel=1e-5, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("label", GOLDEN["methods"])
def test_a_recipe_of_before_reads_as_the_recipe_of_now(now, label):
    from kinema.recipes.json import recipe_from_plain, recipe_to_plain

    was, found = GOLDEN["methods"][label]["recipe"], now["methods"][label]["recipe"]
    assert recipe_from_plain(was) == recipe_from_plain(found)
    assert json.loads(json.dumps(recipe_to_plain(recipe_from_plain(was)))) == found


def test_a_run_of_before_loads_resumes_and_evaluates(now, golden):
    was, found = golden["before"], now["before"]
    assert found["phases"] == {name: phase for name, phase in was["phases"].items() if name in found["phases"]}
    assert "03-cpr-rgb" in found["phases"]
    assert found["towers"] == was["towers"]
    for protocol, figures in was["figures"].items():
        assert found["figures"][protocol] == pytest.approx(figures, rel=1e-5, abs=1e-6)
