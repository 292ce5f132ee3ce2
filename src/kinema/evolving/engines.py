"""Candidates side by side: in processes of this machine, or on a Ray cluster. Either gives the same answers.

An engine maps one function over jobs and yields each answer as it comes, with the job's number. A job whose process
dies is answered with the reason; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from kinema.core.cluster import joined, ray_package
from kinema.core.errors import ConfigError, UsageError
from kinema.core.guesses import choose_from
from kinema.data.workers import run_jobs
from kinema.evolving.candidate import Job, judged

Engine = Literal["processes", "ray"]
Answers = Iterator[tuple[int, Job]]

LIMIT = 6 * 3600.0
"""Seconds after which a candidate counts as hung."""


def check_engine(engine: str, workers: int, threads: int) -> None:
    """Refuses an engine that there is not.

    Raises:
        UsageError: there is no such engine.
        ConfigError: fewer than one worker or thread.
        MissingExtraError: 'ray' without the package.
    """
    if engine not in get_args(Engine):
        raise UsageError(f"There is no engine '{engine}'.", choose_from(engine, get_args(Engine)))
    if workers < 1 or threads < 1:
        raise ConfigError(f"workers is {workers} and threads {threads}; they must be at least 1.")
    if engine == "ray":
        ray_package()


def mapped(engine: Engine, jobs: Sequence[Job], workers: int, threads: int) -> Answers:
    """The answers of :func:`kinema.evolving.candidate.judged` to all jobs, as they come.

    Args:
        engine: where they run.
        jobs: one for each candidate.
        workers: jobs at a time.
        threads: of each; the same number gives the same answers, however many workers there are.
    """
    if engine == "ray":
        return _by_ray(jobs, workers, threads)
    arguments = [[str(threads)] for _ in range(workers)]
    return run_jobs("kinema.evolving.candidate", arguments, jobs, lambda _, why: _died(why), LIMIT, LIMIT)


def _died(why: str) -> Job:
    """The answer for a job whose process did not give one."""
    reason = why.replace("the process that read it", "its process").replace("reading it", "it")
    return {"reason": f"crashed: {reason}", "seconds": 0.0}


def _by_ray(jobs: Sequence[Job], workers: int, threads: int) -> Answers:
    with joined(workers * threads) as ray:
        settings = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        remote = ray.remote(num_cpus=threads, max_retries=0, runtime_env={"env_vars": settings})(judged)
        waiting = list(enumerate(jobs))[::-1]
        running: dict[Any, int] = {}
        while waiting or running:
            while waiting and len(running) < workers:
                number, job = waiting.pop()
                running[remote.remote(job)] = number
            (ready, *_), _ = ray.wait(list(running), num_returns=1)
            number = running.pop(ready)
            try:
                yield number, ray.get(ready)
            except ray.exceptions.RayError as error:
                yield number, _died(" ".join(str(error).split())[:300])
