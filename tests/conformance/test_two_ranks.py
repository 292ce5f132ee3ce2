"""Two processes with half a batch each learn what one learns with the whole, by gloo and DistributedDataParallel.

Without dropout, of which each rank draws masks of its own.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from debug_size import EVERY

SCRIPT = Path(__file__).with_name("ranks.py")


@pytest.fixture(scope="module")
def told(request, tmp_path_factory):
    """What one process learns alone, this one, and what each of two wrote, of the methods that are tested this time."""
    here = [item for item in request.session.items if item.path == Path(__file__)]
    names = sorted({item.callspec.params["name"] for item in here}, key=list(EVERY).index)
    folder = tmp_path_factory.mktemp("ranks")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(SCRIPT.parents[1]), *filter(None, sys.path)]),
        "OMP_NUM_THREADS": "1",
    }
    jobs = [
        subprocess.Popen(
            [
                sys.executable,
                str(SCRIPT),
                str(rank),
                str(world),
                str(folder / f"meet{world}"),
                str(folder / f"{rank}of{world}"),
                *names,
            ],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, world in ((0, 2), (1, 2))
    ]
    threads, train = torch.get_num_threads(), runpy.run_path(str(SCRIPT))["train"]
    torch.set_num_threads(1)
    alone = {name: train(name, 0, 1) for name in names}
    torch.set_num_threads(threads)
    errors = [job.communicate(timeout=200)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], "\n".join(errors)
    return {"0of1": alone} | {path.name: torch.load(path, weights_only=False) for path in folder.glob("*of2")}


def close(a, b, what):
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], atol=2e-6, rtol=1e-4, msg=lambda m, key=key: f"{what} {key}: {m}")


@pytest.mark.parametrize("name", EVERY)
def test_two_ranks_equal_one_process(told, name):
    one, ranks = told["0of1"][name], [told["0of2"][name], told["1of2"][name]]
    assert len(one["steps"]) == 2
    for rank in ranks:
        close(one["filled"], rank["filled"], "after filling,")
        for alone, shared in zip(one["steps"], rank["steps"], strict=True):
            torch.testing.assert_close(alone["loss"], shared["loss"], atol=2e-6, rtol=1e-5)
            close(alone["gradients"], shared["gradients"], "the gradient of")
            close(alone["state"], shared["state"], "after the step,")


@pytest.mark.parametrize("name", EVERY)
def test_both_ranks_hold_one_state(told, name):
    """Queues and banks must not drift apart, not even by rounding."""
    for first, second in zip(told["0of2"][name]["steps"], told["1of2"][name]["steps"], strict=True):
        assert not [key for key in first["state"] if not torch.equal(first["state"][key], second["state"][key])]


@pytest.mark.parametrize("name", EVERY)
def test_the_ranks_mine_what_one_process_mines(told, name):
    for alone, first, second in zip(
        told["0of1"][name]["steps"], told["0of2"][name]["steps"], told["1of2"][name]["steps"], strict=True
    ):
        if alone["mined"] is None:
            assert first["mined"] is None
        else:
            assert torch.equal(torch.cat([first["mined"], second["mined"]]), alone["mined"])
