"""What video QA costs: time and memory of a step, with little to read and see, and with 400 lines and 300 frames.

    OMP_NUM_THREADS=1 python benchmarks/question_speed.py

The preset ``small`` (2 layers of width 64) on made-up questions:

    film    4 options, 7 lines, 52 frames of 128 features, all of which fit into 256 tokens; 32 questions a batch
    chosen  5 options, 400 lines of 9 words, 300 frames of 2,048 features; 256 tokens, into which the nearest lines are
            chosen; 32 questions a batch
    whole   the same with 4,096 tokens, into which all lines fit; 1 question a batch

each with local and with global attention. A step is all that training does: reading, masking, the loss with its
contrast and localization, the backward pass and AdamW. Both kinds of attention take turns, step by step, so that a
noisy machine disturbs them alike; medians. Answering is reading and the network, without gradients. Memory is that of
a process of its own for each row, three steps: the most that it had of its own (RssAnon, sampled every 5 ms) above what
it had after its imports, and the bytes of all tensors that autograd keeps for the backward pass.
results/question-speed.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from memory import Peak
from torch import Tensor

from kinema.core.files import write_json, write_text
from kinema.core.method import TrainingContext
from kinema.core.seeds import generator_at
from kinema.data.questions.config import QuestionsConfig
from kinema.networks.questions import START
from kinema.recipes.table import preset
from kinema.training.phase import make_optimiser

NAME = "question-speed"
ALIGNMENTS = ("local", "global")
WORDS, VIDEOS, ASKED = 2000, 4, 64


@dataclass(frozen=True)
class Input:
    """What is read and seen of a clip, and how many of them at once."""

    options: int
    lines: int
    frames: int
    features: int
    tokens: int
    batch: int


INPUTS: Mapping[str, Input] = {
    "film": Input(4, 7, 52, 128, 256, 32),
    "chosen": Input(5, 400, 300, 2048, 256, 32),
    "whole": Input(5, 400, 300, 2048, 4096, 1),
}


def write_set(folder: Path, given: Input) -> None:
    """Made-up questions, lines of nine words and a frame a second."""
    draw = np.random.default_rng(0)
    names = ["".join(row) for row in draw.choice(list("abdegiklmnoprstuv"), size=(WORDS, 6))]

    def words(count: int) -> str:
        return " ".join(names[row] for row in draw.integers(len(names), size=count))

    rows, each = [], given.frames / given.lines
    for video in (f"v{number}" for number in range(VIDEOS)):
        told = [{"start": n * each, "end": (n + 0.9) * each, "text": words(9)} for n in range(given.lines)]
        write_text(folder / "subtitles" / f"{video}.json", json.dumps(told))
        (folder / "features").mkdir(exist_ok=True)
        seen = draw.normal(size=(given.frames, given.features)).astype(np.float32)
        np.save(folder / "features" / f"{video}.npy", seen)
        for number in range(ASKED // VIDEOS):
            line = told[int(draw.integers(given.lines))]
            options = [f"{words(2)} {place}" for place in range(given.options)]
            span = {"start": line["start"], "end": line["end"]}
            row = {"id": f"{video}-{number}", "video": video, "question": words(10), "options": options, "answer": 1}
            rows.append(row | span)
    write_json(folder / "features" / "features.json", {"frames_a_second": 1})
    write_text(folder / "questions.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))


class Subject:
    """A method with all that its steps need.

    Args:
        folder: the questions.
        given: what is read and seen.
        alignment: 'local' or 'global'.
    """

    def __init__(self, folder: Path, given: Input, alignment: str) -> None:
        made: Any = preset("small", "video-qa")
        data = QuestionsConfig(max_length=given.tokens, frame_limit=given.frames, held_out=0.0)
        config = replace(made.method, alignment=alignment)
        table, _ = data.usable(data.open(folder), [config.needs])
        loaded = data.load(table, [config.needs])
        self.module = loaded.module(config.needs, batch_size=given.batch, seed=0)
        text = replace(START, vocabulary=loaded.text_vocabulary, positions=max(START.positions, given.tokens))
        torch.manual_seed(0)
        encoder = replace(made.encoder, text=text, features=loaded.features)
        self.method = config.build(encoder, TrainingContext(len(table))).train()
        self.optimiser = make_optimiser(self.method, made.optimiser)
        self._raw = cycle(range(self.module.batches))
        self.tokens = 0

    def step(self, number: int) -> tuple[float, float]:
        """A step of the training: seconds of reading, and of all of it."""
        began = time.perf_counter()
        raw = next(iter(self.module.loader(0, next(self._raw))))
        read = time.perf_counter() - began
        self.tokens = raw.options.tokens.ids.shape[1]
        batch = self.module.batch(raw, generator_at(0, "mask", number), labels=True)
        losses = self.method.loss(batch, generator_at(0, "loss", number))
        self.optimiser.zero_grad()
        losses.total.backward()
        torch.nn.utils.clip_grad_norm_(self.method.parameters(), 1.0)
        self.optimiser.step()
        self.method.commit(losses)
        return read, time.perf_counter() - began

    @torch.no_grad()
    def answer(self) -> float:
        """Seconds in which a batch is read and answered."""
        began = time.perf_counter()
        raw = next(iter(self.module.loader(0, next(self._raw))))
        self.method.eval()
        self.method.tower(raw.options, raw.lines, raw.frames)
        self.method.train()
        return time.perf_counter() - began


def timed(given: Input, rounds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Medians of both kinds of attention."""
    with tempfile.TemporaryDirectory() as place:
        write_set(Path(place), given)
        subjects = {name: Subject(Path(place), given, name) for name in ALIGNMENTS}
        taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ALIGNMENTS}
        for number in range(rounds + 1):
            for name, made in subjects.items():
                taken[name].append((*made.step(number), made.answer()))
        for name, all_of_it in taken.items():
            read, step, answer = (statistics.median(each) for each in zip(*all_of_it[1:], strict=True))
            yield (
                name,
                {
                    "tokens": subjects[name].tokens,
                    "read_ms": 1000 * read,
                    "step_ms": 1000 * step,
                    "batches_a_second": 1 / step,
                    "questions_a_second": given.batch / step,
                    "answered_a_second": given.batch / answer,
                },
            )


def remembered(given: Input, alignment: str) -> dict[str, float]:
    """Memory of a process that takes three steps, MiB."""
    kept: dict[int, int] = {}
    most = 0

    def keep(x: Tensor) -> Tensor:
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with tempfile.TemporaryDirectory() as place:
        write_set(Path(place), given)
        peak = Peak()
        made = Subject(Path(place), given, alignment)
        for number in range(2):
            made.step(number)
        mib = peak.mib()
        weights = {x.untyped_storage().data_ptr() for x in made.method.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
            made.step(2)
        most = sum(size for place_, size in kept.items() if place_ not in weights)
    return {"rss_mib": mib, "kept_mib": most / 2**20}


def child(name: str, alignment: str) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--child", name, alignment]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def lines(rows: Mapping[str, Any]) -> Iterator[str]:
    """The table as Markdown."""
    yield (
        "| input | attention | tokens | step, ms | of it reading | batches a second | questions a second | answered a "
        "second | memory, MiB | kept for the backward pass, MiB |"
    )
    yield f"|---|---|{'---:|' * 8}"
    for key, row in rows.items():
        name, alignment = key.split()
        yield (
            f"| {name} | {alignment} | {row['tokens']:,} | {row['step_ms']:,.0f} | {row['read_ms']:,.0f} | "
            f"{row['batches_a_second']:.2f} | {row['questions_a_second']:.1f} | {row['answered_a_second']:.1f} | "
            f"{row['rss_mib']:,.0f} | {row['kept_mib']:,.0f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", nargs=2, metavar=("INPUT", "ATTENTION"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.child:
        name, alignment = arguments.child
        print(json.dumps(remembered(INPUTS[name], alignment)))
        return
    rows: dict[str, Any] = {}
    for name, given in INPUTS.items():
        for alignment, figures in timed(given, arguments.rounds):
            rows[f"{name} {alignment}"] = {**figures, **child(name, alignment)}
            print(f"{name} {alignment}: {figures['step_ms']:.0f} ms", file=sys.stderr)
    record.write(NAME, "python benchmarks/question_speed.py", rounds=arguments.rounds, rows=rows)
    print("\n".join(lines(rows)))


if __name__ == "__main__":
    main()
