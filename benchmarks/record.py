"""Where what was measured goes: results/NAME.json, the command, commit, versions and machine beside the figures."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import av
import torch

from kinema.core.files import write_json
from kinema.core.version import source_version

RESULTS = Path(__file__).parent / "results"
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
    wanted: Iterable[tuple[str, int, str]],
    measure: Callable[[str, int, str], Mapping[str, Any]],
    *,
    minutes: float,
    tell: Callable[[str, Mapping[str, Any]], None],
) -> dict[str, Any]:
    """The cells of a table by their keys, 'SET seedN ROW'; those of an earlier run are not measured again.

    Args:
        name: of the file, which is written after every cell.
        command: what makes the figures again.
        wanted: set, seed and row of each cell, in order; none to have what there is.
        measure: gives a cell's figures; the device and the commit are added.
        minutes: after so many no further cell is begun.
        tell: hears of every new cell.
    """
    began = time.monotonic()
    found: dict[str, Any] = read(name).get("cells", {})
    for where, seed, row in wanted:
        key = f"{where} seed{seed} {row}"
        if key in found:
            continue
        if time.monotonic() - began > minutes * 60:
            break
        found[key] = {**measure(where, seed, row), "device": machine(), "commit": source_version(*MEASURING)}
        write(name, command, cells=found)
        tell(key, found[key])
    return found


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
