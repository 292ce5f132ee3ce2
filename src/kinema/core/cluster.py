"""A cluster of Ray, for the rooms that can spread their work over one: joined, or started for the time being."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from kinema.core.errors import ClusterError, MissingExtraError


def ray_package(*parts: str) -> Any:
    """The package ``ray``, with its usage statistics switched off.

    Args:
        parts: modules of it that are needed too, for instance 'data'.

    Raises:
        MissingExtraError: it is not installed, or not with what these modules need.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray

        for part in parts:
            importlib.import_module(f"ray.{part}")
    except ImportError as error:
        raise MissingExtraError("ray", "ray") from error
    return ray


@contextlib.contextmanager
def joined(cpus: int) -> Iterator[Any]:
    """The package, on a cluster: the one that this process is on, that RAY_ADDRESS names, or a new one of this machine.

    What Ray prints of its workers goes to standard error meanwhile, since standard output is for results.

    Args:
        cpus: of a new cluster; it is shut down at the end.

    Raises:
        MissingExtraError: the package is not installed.
        ClusterError: there is no cluster at RAY_ADDRESS, or none could be started here.
    """
    ray = ray_package()
    if ray.is_initialized():
        yield ray
        return
    with contextlib.redirect_stdout(sys.stderr):
        _begin(ray, cpus)
        try:
            yield ray
        finally:
            ray.shutdown()


def _begin(ray: Any, cpus: int) -> None:
    address = os.environ.get("RAY_ADDRESS")
    try:
        local = {} if address else {"num_cpus": cpus}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR", **local)
    # A missing cluster is a ConnectionError, and one that does not start is a plain Exception.
    except Exception as error:
        ray.shutdown()
        message = " ".join(str(error).split())[:300]
        if address:
            raise ClusterError(
                f"The Ray cluster at '{address}' (RAY_ADDRESS) cannot be joined: {message}",
                "Start it, or unset RAY_ADDRESS to work on this machine alone.",
            ) from error
        raise ClusterError(
            f"Ray did not start on this machine: {message}",
            "It may be too busy: call again, or do without --engine ray.",
        ) from error


def check_room(ray: Any, cpus: int, gpus: int) -> None:
    """Refuses workers that no machine of the cluster has room for; Ray would wait for one in silence.

    Args:
        ray: the package, on a cluster.
        cpus: of a worker.
        gpus: of a worker.

    Raises:
        ClusterError: none has them; names what the largest has.
    """
    machines = [node.get("Resources", {}) for node in ray.nodes() if node.get("Alive")]
    if any(each.get("CPU", 0) >= cpus and each.get("GPU", 0) >= gpus for each in machines):
        return
    has = "; ".join(f"{each.get('CPU', 0):g} CPUs, {each.get('GPU', 0):g} GPUs" for each in machines[:8]) or "nothing"
    raise ClusterError(
        f"A worker takes {cpus} CPUs and {gpus} GPUs, and no machine of the Ray cluster has both: {has}.",
        "Take fewer --threads, or --device cpu, or start a machine that has them.",
    )
