"""How threads wait is set before torch is loaded; their number follows what a container may use; users' words stand."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from kinema.core import threads

USUAL = "PASSIVE, GOMP_SPINCOUNT=10000"
CHOSEN = (*threads.SPINNING, *threads.THREADS)


def run(code, **chosen):
    """A process that has only those of the variables that are given."""
    plain = {name: value for name, value in os.environ.items() if name not in CHOSEN} | {"PYTHONPATH": "src"}
    return subprocess.run([sys.executable, "-c", code], env=plain | chosen, capture_output=True, text=True, check=True)


def test_libgomp_reads_the_policy_and_where_torch_came_first_that_is_recorded():
    """libgomp prints what it goes by when it is loaded; a made-up quota of one is what torch computes with."""
    limited = "threads.quota, threads._affinity = (lambda: 1), lambda: {0, 1}; threads.prepare()"
    told = "from kinema.core import threads; import torch, json; assert not before & {'torch', 'numpy'} or late; "
    told += "print(json.dumps([threads.facts(), torch.get_num_threads()]))"
    after = "; import sys; before = {*sys.modules}; late = "
    early = run(f"import kinema{after}0; from kinema.core import threads; {limited}; {told}", OMP_DISPLAY_ENV="VERBOSE")
    late = run(f"import torch, kinema{after}1; {told}", OMP_DISPLAY_ENV="VERBOSE")
    facts, count = json.loads(early.stdout)
    assert (facts["wait_policy"], facts["threads_by"], count) == (USUAL, "quota", 1)
    assert json.loads(late.stdout)[0]["wait_policy"] == threads.TOO_LATE
    if "GOMP_SPINCOUNT" not in late.stderr:
        pytest.skip("torch computes with another library than libgomp")
    assert "GOMP_SPINCOUNT = '10000'" in early.stderr
    assert "GOMP_SPINCOUNT = '10000'" not in late.stderr


@pytest.fixture
def alone(monkeypatch):
    """Nothing is chosen, torch is not loaded, and there are eight cores."""
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name not in CHOSEN})
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(threads, "_prepared", threads.Prepared())
    monkeypatch.setattr(threads, "_affinity", lambda: set(range(8)))
    monkeypatch.setattr(threads, "_read", lambda path: "")
    return monkeypatch


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, USUAL),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "300000"}, "GOMP_SPINCOUNT=300000"),
        ({"KMP_BLOCKTIME": "200"}, "KMP_BLOCKTIME=200"),
    ],
)
def test_what_the_user_says_of_waiting_stands(alone, chosen, said):
    os.environ.update(chosen)
    threads.prepare()
    threads.prepare()
    assert (threads.facts()["wait_policy"], threads.facts()["threads_by"]) == (said, "torch")
    assert ("OMP_WAIT_POLICY" in os.environ) == (said in (USUAL, "ACTIVE"))


GROUPS = {
    "two, in a container": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
    "two, no limit": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
    "two, the group around it allows less": (
        {
            "proc/self/cgroup": "0::/user.slice/mine\n",
            "sys/fs/cgroup/user.slice/mine/cpu.max": "800000 100000",
            "sys/fs/cgroup/user.slice/cpu.max": "300000 100000",
        },
        3,
    ),
    "one": (
        {
            "proc/self/cgroup": "5:cpuset:/a\n4:cpu,cpuacct:/docker/abc\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        4,
    ),
    "one, no limit": (
        {
            "proc/self/cgroup": "4:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
        },
        None,
    ),
    "less than one processor": ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1000 100000"}, 1),
    "a group outside of the container": (
        {
            "proc/self/cgroup": "0::/../../x\n",
            "x/cpu.max": "100000 100000",
            "sys/fs/cgroup/cpu.max": "200000 100000",
        },
        2,
    ),
    "damaged": ({"proc/self/cgroup": "nonsense\n0::/\n::", "sys/fs/cgroup/cpu.max": "many 0 \n"}, None),
    "no groups": ({}, None),
}


@pytest.mark.parametrize(("files", "allowed"), GROUPS.values(), ids=GROUPS)
def test_the_quota_of_control_groups_is_rounded_up(tmp_path, files, allowed):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert threads.quota(str(tmp_path)) == allowed


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity masks")
def test_processors_outside_of_the_affinity_mask_do_not_count():
    first = min(os.sched_getaffinity(0))
    told = run(f"import os; os.sched_setaffinity(0, {{{first}}}); from kinema.core.threads import *; print(facts())")
    assert told.stdout.strip() == "{'wait_policy': 'PASSIVE, GOMP_SPINCOUNT=10000', 'threads_by': 'torch', 'cpus': 1}"


@pytest.mark.parametrize(
    ("quota", "chosen", "loaded", "by", "count"),
    [
        (3, {}, 0, "quota", 3),
        (3, {"OMP_NUM_THREADS": "5"}, 0, "OMP_NUM_THREADS", 5),
        (3, {"MKL_NUM_THREADS": "5"}, 0, "MKL_NUM_THREADS", 0),
        (8, {}, 0, "torch", 0),
        (None, {}, 0, "torch", 0),
        (3, {}, 8, "quota", 3),
        (3, {}, 6, "torch", 6),
    ],
    ids=["limited", "OpenMP's", "MKL's", "enough", "none", "torch's own, loaded", "torch.set_num_threads"],
)
def test_torch_is_limited_to_the_quota_unless_the_user_chose(alone, quota, chosen, loaded, by, count):
    os.environ.update(chosen)
    alone.setattr(threads, "quota", lambda: quota)
    if loaded:
        counts = [loaded]
        torch = SimpleNamespace(get_num_threads=lambda: counts[-1], set_num_threads=counts.append)
        alone.setitem(sys.modules, "torch", torch)
    threads.prepare()
    assert threads.facts()["threads_by"] == by
    assert (counts[-1] if loaded else int(os.environ.get("OMP_NUM_THREADS", 0))) == count
    assert ("3 threads" in threads.limit_message()) == bool(threads.limit_message()) == (by == "quota")
