"""Damaged and hostile state, made again from a seed: recipes, checkpoints, weights, manifests, tables.

Each kind is a generator of attempts: a name, and a function without arguments that reads what was damaged and returns
what it read, as values that can be compared. The first attempt reads what is whole. :func:`tried` counts how they end:
read as before, refused by an error of kinema's, a crash, or something else than before without a word.
The whole of it: python benchmarks/reliability.py.
"""

from __future__ import annotations

import copy
import io
import json
import math
import random
from collections import Counter

import torch

from kinema.core.errors import KinemaError

SIZES = {"recipes": 96, "checkpoints": 962, "weights": 1252, "manifests": 49, "tables": 81}
"""How many of each there are; manifests and labels together."""
VALUES = (None, True, 0, -1, 1e12, 10**30, math.nan, math.inf, "", "[x]", "../..", "\ud800", [], {}, [[]], {"a": {}})


# How JSON and bytes are damaged.


def places(value, path=()):
    """Every key and index below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def damaged_json(plain, draw):
    """A copy with one place deleted, of another type or value; and a word for it."""
    changed = copy.deepcopy(plain)
    *above, last = draw.choice(list(places(changed)))
    inside = changed
    for key in above:
        inside = inside[key]
    if draw.random() < 0.25:
        del inside[last]
        return changed, f"without {[*above, last]}"
    inside[last] = draw.choice(VALUES)
    return changed, f"{[*above, last]} is {inside[last]!r}"


def damaged_text(plain, draw):
    """The bytes of a JSON file that is damaged in one of several ways; and a word for it."""
    whole = json.dumps(plain, indent=2)
    way = draw.randrange(12)
    if way == 0:
        return whole[: draw.randrange(len(whole))].encode(), "truncated"
    if way == 1:
        return damaged_bytes(whole.encode(), draw)
    if way == 2:
        return draw.choice(
            (b"[]", b"null", b"3", b'"x"', b"{}", b"", b"\xff\xfe\x00", b"[" * 100_000)
        ), "something else"
    if way == 3:
        return b'{"a":' * 2000 + b"1" + b"}" * 2000, "deep"
    changed, word = damaged_json(plain, draw)
    return json.dumps(changed).encode(), word


def damaged_bytes(content, draw):
    """Some bytes of a file changed, cut off or zeroed; and a word for it."""
    at, way = draw.randrange(len(content)), draw.randrange(4)
    if way == 0:
        return content[:at], f"truncated at {at}"
    if way == 1:
        long = draw.randrange(1, 4096)
        return content[:at] + bytes(long) + content[at + long :], f"{long} zeros at {at}"
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :], f"a bit at {at}"


# What is damaged: a run, an export, manifests, a table.


class State:
    """A small run with all that it holds, in a folder of its own; its names look like markup."""

    def __init__(self, folder, make_video):
        from tiny_runs import tiny_plan

        import kinema
        from kinema import api

        self.folder = folder
        self.run, self.videos = folder / "runs [v2]", folder / "[x] videos"
        for name, motion in (("[red]", (2, 0)), ("[blue]", (0, 2))):
            for number in range(3):
                make_video(self.videos / name / f"[draft] take {number}.mp4", motion, seed=number)
        plan = tiny_plan("moco", epochs=1, batch_size=2, method={"queue": 4})
        api.pretrain(plan, self.videos, self.run, cache=folder / "cache", device="cpu", logger="none")
        kinema.evaluate("retrieval", self.run, self.videos, cache=folder / "cache", device="cpu")
        self.phase = next((self.run / "phases").iterdir())
        kinema.export(self.run, folder / "export", licence="CC0")
        self.manifests = [folder / "manifest.json", folder / "manifest.parquet"]
        for path in self.manifests:
            api.scan(self.videos, out=path)

    def embedded(self):
        """The folder of a table of the run's embeddings; needs the extra kinema[search]."""
        from kinema.api import searching

        if not (self.run / "index").exists():
            searching.embed(self.run, self.videos, device="cpu")
            searching.cluster(self.run, k=2)
        return self.run / "index"


def with_content(path, content, read):
    """Reads while a file holds something else."""
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        return read()
    finally:
        path.write_bytes(whole)


def recipes(state, seed, count):
    """recipe.json, and the run's other JSON: read as a report, a load and a resume read them."""
    import kinema
    from kinema.training.run_folder import RunFolder

    draw = random.Random(f"recipes {seed}")
    evaluation = next((state.run / "evaluations").iterdir())
    files = [state.run / name for name in ("recipe.json", "environment.json", "status.json")]
    files += [state.phase / "phase.json", evaluation, state.phase / "metrics.jsonl", state.folder / "export/model.json"]

    def read():
        folder = RunFolder.open(state.run)
        model = kinema.load(state.run)
        kinema.report(state.run, out=state.folder / "report")
        kinema.load(state.folder / "export")
        folder.update_status(state="done")
        return sorted(model.tower.state_dict())

    yield "whole", read
    for number in range(count):
        path = files[0] if number % 2 else files[number // 2 % len(files)]
        whole = path.read_bytes()
        if path.suffix == ".jsonl":
            lines = whole.splitlines()
            at = draw.randrange(len(lines))
            lines[at], word = damaged_text(json.loads(lines[at]), draw)
            content = b"\n".join(lines) + b"\n"
        else:
            content, word = damaged_text(json.loads(whole), draw)
        yield f"{path.name}: {word}", lambda path=path, content=content: with_content(path, content, read)


def checkpoints(state, seed, count):
    """checkpoint.pt: bytes damaged, and values in it of other types; read and put back into a method."""
    from kinema.core.method import TrainingContext
    from kinema.recipes.json import read_recipe
    from kinema.training.checkpoints import Checkpoint
    from kinema.training.phase import make_optimiser
    from kinema.training.trainer import build_method
    from kinema.training.watch import CollapseWatch

    draw, path = random.Random(f"checkpoints {seed}"), state.phase / "checkpoint.pt"
    whole, recipe = path.read_bytes(), read_recipe(state.run / "recipe.json")
    content = torch.load(path, weights_only=True)

    def read():
        found = Checkpoint.read(path, {})
        method = build_method(recipe, recipe.phases[0], TrainingContext(6, 2))
        optimiser = make_optimiser(method, recipe.phases[0].optimiser)
        found.restore(method, optimiser)
        found.meter("collapse", CollapseWatch(1.0).restore)
        return {**method.state_dict(), **vars(found.progress)}

    def changed():
        value = copy.deepcopy(content)
        inside, trail = value, []
        while True:
            key = draw.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
            trail.append(key)
            if not isinstance(inside[key], dict | list) or not inside[key] or draw.random() < 0.2:
                break
            inside = inside[key]
        wrong = [None, -1, "x", [], {}, torch.zeros(3, 5), torch.zeros(()), 10**40, math.nan]
        if draw.random() < 0.3 and isinstance(inside, dict):
            del inside[key]
            word = f"without {trail}"
        else:
            inside[key] = draw.choice(wrong)
            word = f"{trail} is another"
        file = io.BytesIO()
        torch.save(value, file)
        return file.getvalue(), word

    yield "whole", read
    for number in range(count):
        made, word = damaged_bytes(whole, draw) if number % 3 else changed()
        yield f"checkpoint.pt: {word}", lambda made=made: with_content(path, made, read)


def weights(state, seed, count):
    """The weights of a tower and of an export, read as a load reads them."""
    import kinema

    draw = random.Random(f"weights {seed}")
    files = {
        next(state.phase.glob("tower-*.safetensors")): lambda: kinema.load(state.run).tower.state_dict(),
        state.folder / "export/model.safetensors": lambda: kinema.load(state.folder / "export").tower.state_dict(),
    }
    yield "whole", next(iter(files.values()))
    for number in range(count):
        path = list(files)[number % 2]
        whole = path.read_bytes()
        header = int.from_bytes(whole[:8], "little")
        content, word = damaged_bytes(whole, draw)
        if number % 4 > 1:  # the head of the file, which is JSON
            head, word = damaged_text(json.loads(whole[8 : 8 + header]), draw)
            content = len(head).to_bytes(8, "little") + head + whole[8 + header :]
        yield f"{path.name}: {word}", lambda path=path, content=content: with_content(path, content, files[path])


def manifests(state, seed, count):
    """Manifests in JSON and Parquet, and labels.csv."""
    from kinema.data import Manifest, scan

    draw, labels = random.Random(f"manifests {seed}"), state.videos / "labels.csv"
    yield "whole", lambda: Manifest.read(state.manifests[0]).digest
    for number in range(count):
        if number % 7 == 6:
            plain = b"path,label,split\n[red]/[draft] take 0.mp4,a,train\n[blue]/[draft] take 0.mp4,b,test\n"
            content, word = damaged_bytes(plain, draw)

            def read_labels(content=content):  # another label is no damage that anything could know of
                labels.write_bytes(content)
                try:
                    scan(state.videos, workers=1)
                finally:
                    labels.unlink()
                return Manifest.read(state.manifests[0]).digest

            yield f"labels.csv: {word}", read_labels
            continue
        path = state.manifests[number % 2]
        whole = path.read_bytes()
        content, word = damaged_bytes(whole, draw) if number % 2 else damaged_text(json.loads(whole), draw)
        yield (
            f"{path.name}: {word}",
            lambda path=path, content=content: with_content(path, content, lambda: Manifest.read(path).digest),
        )


def tables(state, seed, count):
    """A table of LanceDB: each of its files, and its settings and centre."""
    from kinema.api import searching

    draw, index = random.Random(f"tables {seed}"), state.embedded()
    files = sorted(path for path in index.rglob("*") if path.is_file() and path.stat().st_size)
    query = str(next(state.videos.rglob("*.mp4")))

    def read():
        found = searching.search(state.run, query, k=3, device="cpu")
        return [(hit.video, round(hit.score, 4)) for hit in found.hits]

    yield "whole", read
    for number in range(count):
        path = files[number % len(files)]
        content, word = damaged_bytes(path.read_bytes(), draw)
        yield f"{path.name}: {word}", lambda path=path, content=content: with_content(path, content, read)


KINDS = {
    "recipes": recipes,
    "checkpoints": checkpoints,
    "weights": weights,
    "manifests": manifests,
    "tables": tables,
}


def same(ours, theirs):
    if isinstance(ours, torch.Tensor):
        return isinstance(theirs, torch.Tensor) and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return ours == theirs


def of_bytes(name):
    """Whether damage is of bytes, which a checksum shows; a value of another type may be one that is allowed."""
    return " at " in name and not name.startswith("labels.csv") and ".json" not in name


def tried(attempts):
    """How attempts end.

    Args:
        attempts: names and functions, the first of what is whole.

    Returns:
        Counts of 'tried', 'equal', 'refused', 'changed' (values that are allowed), 'crash' and 'silent'; and what
        crashed or was silent.
    """
    attempts = iter(attempts)
    expected = next(attempts)[1]()
    counts, bad = Counter(), []
    for name, read in attempts:
        counts["tried"] += 1
        try:
            found = read()
        except KinemaError as error:
            counts["refused"] += 1
            if not error.message:
                bad.append(f"{name}: an error without a message")
        except Exception as error:
            counts["crash"] += 1
            bad.append(f"{name}: {type(error).__name__}: {str(error)[:300]}")
        else:
            if same(found, expected):
                counts["equal"] += 1
            elif of_bytes(name):
                counts["silent"] += 1
                bad.append(f"{name}: read, and something else")
            else:
                counts["changed"] += 1
    return counts, bad
