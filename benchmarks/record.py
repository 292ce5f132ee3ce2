"""Where what was measured goes: results/NAME.json, the command, commit, versions and machine beside the figures."""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import torch

from kinema.core.files import write_json
from kinema.core.threads import available_cpus
from kinema.core.version import source_version

RESULTS = Path(__file__).parent / "results"
Cell = tuple[str, int, str]
"""A set, a seed and a row."""
MEASURING = (":(top)benchmarks", ":(top,exclude)benchmarks/results")
"""Files whose changes count as changes of what is measured: not the results, which a measurement writes itself."""


def read(name: str) -> dict[str, Any]:
    """What an earlier run of the command wrote; empty where there was none."""
    file = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return found


def write(name: str, command: str, packages: tuple[str, ...] = (), **figures: Any) -> None:
    """Writes results/NAME.json atomically.

    Args:
        name: of the file.
        command: what makes the figures again.
        packages: peers whose versions matter too.
        figures: what was measured.
    """
    RESULTS.mkdir(exist_ok=True)
    told = {
        "command": command,
        "commit": source_version(*MEASURING),
        "versions": versions(*packages),
        "machine": machine(),
    }
    write_json(RESULTS / f"{name}.json", told | figures)


def filled(
    name: str,
    command: str,
    wanted: Iterable[Cell],
    measure: Callable[[str, int, str], Mapping[str, Any]],
    *,
    minutes: float,
    tell: Callable[[str, Mapping[str, Any]], None],
    jobs: int = 1,
    after: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The cells of a table by their keys, 'SET seedN ROW'; those of an earlier run are not measured again.

    Args:
        name: of the file, which is written after every cell.
        command: what makes the figures again.
        wanted: set, seed and row of each cell, in order; none to have what there is.
        measure: gives a cell's figures; the device and the commit are added.
        minutes: after so many no further cell is begun.
        tell: hears of every new cell.
        jobs: cells that are measured at a time; with more than one, ``measure`` must be picklable, and each cell has a
            process of its own with its share of the threads.
        after: rows that are begun once another row of the same set and seed is there, if that is wanted too.
    """
    began = time.monotonic()
    found: dict[str, Any] = read(name).get("cells", {})
    left = [each for each in dict.fromkeys(wanted) if key_of(each) not in found]

    def keep(each: Cell, figures: Mapping[str, Any]) -> None:
        found[key_of(each)] = figures
        write(name, command, cells=found)
        tell(key_of(each), figures)

    if jobs > 1:
        _side_by_side(left, measure, keep, jobs, after or {}, lambda: time.monotonic() - began > minutes * 60)
        return found
    for each in left:
        if time.monotonic() - began > minutes * 60:
            break
        keep(each, measured(measure, each))
    return found


def key_of(cell: Cell) -> str:
    """A cell's name in the file."""
    return f"{cell[0]} seed{cell[1]} {cell[2]}"


def measured(measure: Callable[[str, int, str], Mapping[str, Any]], cell: Cell, threads: int = 0) -> dict[str, Any]:
    """A cell's figures, with the device and the commit they come from."""
    if threads:
        torch.set_num_threads(threads)
    return {**measure(*cell), "device": machine(), "commit": source_version(*MEASURING)}


def _side_by_side(
    left: Sequence[Cell],
    measure: Callable[[str, int, str], Mapping[str, Any]],
    keep: Callable[[Cell, Mapping[str, Any]], None],
    jobs: int,
    after: Mapping[str, str],
    late: Callable[[], bool],
) -> None:
    """Measures cells in several processes, in order as far as ``after`` lets it.

    After an error no further cell is begun; those that are measured then are waited for and kept, and it is raised.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    threads = max(1, available_cpus() // jobs)
    waiting, going = [*left], dict[Future[dict[str, Any]], Cell]()
    failed: list[BaseException] = []
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        while waiting or going:
            while waiting and len(going) < jobs and not failed and not late():
                undone = {*waiting, *going.values()}
                free = [each for each in waiting if (each[0], each[1], after.get(each[2], "")) not in undone]
                if not free:
                    break
                waiting.remove(free[0])
                going[pool.submit(measured, measure, free[0], threads)] = free[0]
            if not going:
                break
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                each, error = going.pop(future), future.exception()
                if error is None:
                    keep(each, future.result())
                else:
                    failed.append(error)
    if failed:
        raise failed[0]


def versions(*packages: str) -> dict[str, str]:
    """Of Python, what kinema stands on, and the packages named."""
    found = {"python": platform.python_version(), "ffmpeg": av.ffmpeg_version_info}
    for package in ("torch", "numpy", "av", *packages):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> str:
    """The processor, its cores, what torch uses of them, and the GPU if there is one."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    level, threads = torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()
    told = f"{name} ({level}), {os.cpu_count()} cores, {threads} threads of torch"
    return told + (f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "")
