"""How a server holds up under two hundred at once: searches, and ranges of videos, from a client that is bounded.

    python benchmarks/serving.py                  # 2,000 searches and 2,000 ranges, 200 at once

A table of drawn videos is made by an encoder that learnt nothing, served in a process of its own on this machine's
loopback, and asked by threads of this one. Every search has an indexed window as its query, so it costs no encoding,
and must find that window first; every tenth range begins at the start of a file, as a player's first does, and must be
these bytes. Counted are wrong answers, and the time from the request to the last byte. Besides, the resident memory of
the server before and after. Writes results/serving.json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import record
import torch
from film import film
from rich.console import Console
from rich.table import Table

HOST, PIECE = "127.0.0.1", 65536
Ask = Callable[[int], bool]


def serve(folder: Path, videos: int, frames: int, told: Any) -> None:
    """Makes the table and serves it; tells the port."""
    import uvicorn

    import kinema
    from kinema import serving
    from kinema.core.clips import ClipSpec
    from kinema.data.clips.reader import Model
    from kinema.networks import EncoderConfig, HeadConfig, Tower

    torch.manual_seed(0)
    model = Model(Tower("rgb", EncoderConfig("slim"), HeadConfig()), "rgb", ClipSpec(), name="random")
    (folder / "videos").mkdir()
    for number in range(videos):
        film(folder / f"videos/{number}.mp4", frames, number)
    kinema.embed(model, folder / "videos", out=folder / "index")
    made = serving.app(model, table=folder / "index")
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        told.put(listener.getsockname()[1])
        uvicorn.Server(uvicorn.Config(made, log_level="warning")).run(sockets=[listener])


def asking(port: int, folder: Path) -> tuple[Ask, Ask]:
    """A search and a range, by number; whether each was answered rightly. A thread keeps its connection."""
    own = threading.local()

    def ask(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection(HOST, port, timeout=120)
        text = None if body is None else json.dumps(body)
        own.connection.request(method, path, text, {"Content-Type": "application/json", **headers})
        answer = own.connection.getresponse()
        return answer.status, answer.read()

    listed = json.loads(ask("GET", "/api/videos?limit=500")[1])["videos"]
    windows = [
        (video["id"], frame)
        for video in listed[:50]
        for frame in json.loads(ask("GET", f"/api/videos/{video['id']}/timeline")[1])["frame"]
    ]
    whole = {video["id"]: (folder / "videos" / video["name"]).read_bytes() for video in listed}

    def search(number: int) -> bool:
        video, frame = windows[number * 7919 % len(windows)]
        status, body = ask("POST", "/api/search", {"query": f"{video}@{frame}", "k": 24})
        return status == 200 and abs(json.loads(body)["hits"][0]["score"] - 1) < 1e-4

    def part(number: int) -> bool:
        draw = random.Random(number)
        video = listed[draw.randrange(len(listed))]["id"]
        begin = 0 if number % 10 == 0 else draw.randrange(len(whole[video]))
        status, body = ask("GET", f"/api/videos/{video}/file", Range=f"bytes={begin}-{begin + PIECE - 1}")
        return status == 206 and body == whole[video][begin : begin + PIECE]

    return search, part


def measured(ask: Ask, count: int, at_once: int) -> dict[str, float]:
    """Seconds of each, from the request to the last byte, and how many were wrong."""
    seconds = np.zeros(count)
    wrong: list[str] = []

    def one(number: int) -> None:
        began = time.perf_counter()
        try:
            if not ask(number):
                wrong.append("a wrong answer")
        except (OSError, http.client.HTTPException, ValueError) as error:
            wrong.append(repr(error))
        seconds[number] = time.perf_counter() - began

    began = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(count)))
    took = time.perf_counter() - began
    p50, p99 = np.percentile(seconds, [50, 99]) * 1000
    told = {"errors": len(wrong), "p50_ms": float(p50), "p99_ms": float(p99), "per_second": count / took}
    if wrong:
        print(f"for instance: {wrong[0]}")
    return told


def resident(process: int) -> float:
    """MiB of a process's memory; 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    """Prints the table and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="requests of each kind")
    parser.add_argument("--at_once", type=int, default=200)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--frames", type=int, default=500, help="of each video")
    parser.add_argument("--dry", action="store_true", help="write no results")
    asked = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        server = context.Process(target=serve, args=(folder, asked.videos, asked.frames, told), daemon=True)
        server.start()
        try:
            port = told.get(timeout=600)
            search, part = asking(port, folder)
            before = resident(server.pid or 0)
            found = {"one search at a time": measured(search, min(asked.count, 100), 1)}
            found |= {"searches": measured(search, asked.count, asked.at_once)}
            found |= {"ranges of 64 KiB": measured(part, asked.count, asked.at_once)}
            memory = {"before_mib": before, "after_mib": resident(server.pid or 0)}
        finally:
            server.kill()
            server.join()
    table = Table("asked", "errors", "p50, ms", "p99, ms", "a second")
    for what, figures in found.items():
        times = [f"{figures[name]:.1f}" for name in ("p50_ms", "p99_ms", "per_second")]
        table.add_row(what, str(figures["errors"]), *times)
    Console().print(table)
    print(f"resident memory of the server: {memory['before_mib']:.0f} MiB before, {memory['after_mib']:.0f} MiB after")
    if not asked.dry:
        command = f"python benchmarks/serving.py --count {asked.count} --at_once {asked.at_once}"
        command += f" --videos {asked.videos} --frames {asked.frames}"
        packages = ("lancedb", "fastapi", "uvicorn")
        record.write("serving", command, packages=packages, seeds=[0], serving=found, memory=memory)


if __name__ == "__main__":
    main()
