"""How threads wait is set before torch is loaded; their number follows what a container may use; users' words stand."""

import json
import os
import subprocess
import sys

import pytest

from kinema.core import threads

TOLD = "from kinema.core import threads; import json, os; print(json.dumps(threads.facts() | dict(os.environ)))"
CHOSEN = (*threads.SPINNING, *threads.THREADS)


def answer(code, **chosen):
    """What a process prints, as JSON; of the variables that matter, it has only those that are given."""
    plain = {name: value for name, value in os.environ.items() if name not in CHOSEN} | {"PYTHONPATH": "src"}
    done = subprocess.run([sys.executable, "-c", code], env=plain | chosen, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("chosen", "policy", "said"),
    [
        ({}, "PASSIVE", "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE", "ACTIVE"),
        ({"GOMP_SPINCOUNT": "300000"}, None, "GOMP_SPINCOUNT=300000"),
        ({"KMP_BLOCKTIME": "200"}, None, "KMP_BLOCKTIME=200"),
    ],
)
def test_the_policy_is_set_where_the_user_has_said_nothing(chosen, policy, said):
    told = answer("import kinema, sys; assert not {'torch', 'numpy'} & {*sys.modules}; " + TOLD, **chosen)
    assert (told.get("OMP_WAIT_POLICY"), told["wait_policy"]) == (policy, said)


def test_libgomp_reads_the_policy_and_where_torch_came_first_that_is_recorded():
    """libgomp prints what it goes by when it is loaded."""
    early, late = (
        subprocess.run(
            [sys.executable, "-c", f"import {first}, {then}; from kinema.core.threads import facts; print(facts())"],
            env={n: v for n, v in os.environ.items() if n not in CHOSEN}
            | {"PYTHONPATH": "src", "OMP_DISPLAY_ENV": "VERBOSE"},
            capture_output=True,
            text=True,
            check=True,
        )
        for first, then in (("kinema", "torch"), ("torch", "kinema"))
    )
    assert "'wait_policy': 'PASSIVE'" in early.stdout
    assert threads.TOO_LATE in late.stdout
    if "GOMP_SPINCOUNT" not in late.stderr:
        pytest.skip("torch computes with another library than libgomp")
    assert "GOMP_SPINCOUNT = '0'" in early.stderr
    assert "GOMP_SPINCOUNT = '0'" not in late.stderr


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
    alone = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}}); " + TOLD
    told = answer(alone)
    assert (told["cpus"], told["threads_by"]) == (1, "torch")


LIMITED = """
import sys
{before}
from kinema.core import threads
threads.quota, threads._affinity = (lambda root="/": {quota}), lambda: set(range(8))
threads._read = lambda path: ""
threads.prepare()
import json, torch
print(json.dumps([torch.get_num_threads(), threads.facts(), threads.limit_message()]))
"""


@pytest.mark.parametrize(
    ("before", "quota", "chosen", "by", "count"),
    [
        ("", 3, {}, "quota", 3),
        ("", 3, {"OMP_NUM_THREADS": "5"}, "OMP_NUM_THREADS", 5),
        ("", 3, {"MKL_NUM_THREADS": "5"}, "MKL_NUM_THREADS", None),
        ("", 8, {}, "torch", None),
        ("", None, {}, "torch", None),
        ("import torch; torch.set_num_threads(8)", 3, {}, "quota", 3),
        ("import torch; torch.set_num_threads(6)", 3, {}, "torch", 6),
    ],
)
def test_torch_is_limited_to_the_quota_unless_the_user_chose(before, quota, chosen, by, count):
    """Eight processors are made up; torch that was loaded before with as many threads had taken them by itself."""
    found, told, message = answer(LIMITED.format(before=before, quota=quota), **chosen)
    assert (count or found, told["threads_by"]) == (found, by)
    assert bool(message) == (by == "quota")
    assert (f"{count} threads" in message) == (by == "quota")
