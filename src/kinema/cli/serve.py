"""The verb of serving: ``kinema serve RUN``. Parses, makes the application and runs it until it is stopped."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinema.cli.terminal import add_device, make_parser, parse, print_json, under
from kinema.cli.waiting import stop
from kinema.core.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

TOKEN = "KINEMA_TOKEN"


def run(given: list[str]) -> int:
    """The verb ``kinema serve RUN``."""
    args = parse(_parser(), given)
    if not 0 <= args.port <= 65535:
        raise UsageError(f"--port is {args.port}; it must be from 0 to 65535.")
    from kinema.serving.settings import Settings

    token = args.token or os.environ.get(TOKEN) or None
    settings = Settings(
        args.host,
        token,
        tuple(args.host_name),
        args.upload_mib,
        connections=args.connections,
        read_only=args.read_only,
        memory_gib=args.memory_gib,
    )
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError("uvicorn", "serve") from error
    from kinema import serving
    from kinema.serving.connections import limited_protocol

    listening = _listen(args.host, args.port)
    with listening:
        options = {
            name: getattr(args, name) for name in ("table", "segments", "view", "device", "videos", "features_run")
        }
        made = serving.app(args.run, settings=settings, **options)
        told, sentence, root = _about(made)
        url = f"http://{_shown(args.host)}:{listening.getsockname()[1]}/"
        if args.json:
            print_json({"url": url, **told, "root": str(root)})
        else:
            print(f"{sentence}: {url}   (Ctrl-C ends it)")
            print(f"Files are shown from '{root}'{'' if root.is_dir() else ', which is not there'}.")
            if token is not None:
                print("The page asks for the token.")
        sys.stdout.flush()
        stop()
        config = uvicorn.Config(
            made, http=limited_protocol(settings), log_level="warning", server_header=False, timeout_keep_alive=10
        )
        server = uvicorn.Server(config)
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:  # how it is meant to end
            print("Stopped.", file=sys.stderr)
    return 0


def _parser() -> ArgumentParser:
    parser = make_parser("serve")
    parser.add_argument("run", type=str, help="the run's folder, or an exported one")
    parser.add_argument("--table", type=str | None, default=None, help="where the table is; RUN/index by default")
    parser.add_argument(
        "--segments",
        type=str | None,
        default=None,
        help="the file of steps; RUN/segments/segments.json by default",
    )
    parser.add_argument(
        "--videos", type=str | None, default=None, help="the folder of videos or pictures; the table's own by default"
    )
    parser.add_argument(
        "--features_run",
        type=str | None,
        default=None,
        help="of a run of video-qa: the run that makes features of frames",
    )
    parser.add_argument("--host", type=str, default="127.0.0.1", help="the address; another than this needs a token")
    parser.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one")
    parser.add_argument("--token", type=str | None, default=None, help=f"a secret of 16 letters or more; or {TOKEN}")
    parser.add_argument("--host_name", type=str, nargs="+", default=[], help="further names that it is asked by")
    parser.add_argument("--upload_mib", type=int, default=256, help="the size of a clip that is brought, at most")
    parser.add_argument("--connections", type=int, default=64, help="that one address may hold open, at most")
    parser.add_argument(
        "--memory_gib",
        type=float | None,
        default=None,
        help="of memory that the vectors may take; half of what is free by default, 0 to search in the store",
    )
    parser.add_argument("--view", type=str | None, default=None, help="which view's encoder; the run's own by default")
    add_device(parser)
    parser.add_argument("--read_only", action="store_true", help="let nobody name steps")
    under(parser, "What is served", "run", "table", "segments", "videos", "features_run", "view")
    under(parser, "Who may ask, and where", "host", "port", "token", "host_name", "read_only")
    under(parser, "Limits", "upload_mib", "connections", "memory_gib")
    return parser


def _about(made: Any) -> tuple[dict[str, int], str, Path]:
    """How much an application serves, that in words, and the folder of the videos."""
    if made.state.questions is not None:
        videos = made.state.questions.now()
        return {"videos": len(videos.paths)}, f"{len(videos.paths)} videos, to be asked about", videos.root
    if made.state.archive is None:
        found = made.state.steps.now().segmentation
        told = {"videos": len(found.videos), "windows": 0, "steps": len(found.steps)}
        return told, f"{told['videos']} videos in {told['steps']} steps, and no table to search", found.root
    now = made.state.archive.snapshot()
    if hasattr(now, "images"):
        told = {"images": now.images, "texts": now.texts}
        return told, f"{told['images']} pictures, {told['texts']} texts, asked in words", now.root
    told = {"videos": now.videos.num_rows, "windows": now.windows}
    return told, f"{told['videos']} videos, {told['windows']} windows", now.root


def _listen(host: str, port: int) -> Any:
    """A socket that listens.

    Raises:
        UsageError: the port is taken, or the address is not this machine's.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise UsageError(
            f"The address {host}, port {port}, cannot be had: {error.strerror or error}.",
            "Choose another port with --port; 0 takes a free one.",
        ) from error


def _shown(host: str) -> str:
    """The address as a person would type it on this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
