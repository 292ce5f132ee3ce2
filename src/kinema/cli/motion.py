"""``kinema motion``: arguments in, one call, text or JSON out."""

from __future__ import annotations

from kinema.cli.terminal import make_parser, parse, print_json, stderr_console


def run(given: list[str]) -> int:
    """The verb ``kinema motion``."""
    import sys
    import time

    parser = make_parser("motion", "FILE.npz gets arrays, FILE.mp4 the frames with their motion drawn over them.")
    parser.add_argument("video", type=str, help="the file: H.264, MPEG-1, -2 or -4")
    parser.add_argument("-o", "--out", type=str, required=True, help="what to write: .npz or .mp4")
    args = parse(parser, given)
    # Without api, which loads torch: seconds, where most videos take less.
    from kinema.core.progress import Steps
    from kinema.data import write_motion

    began = time.monotonic()
    with Steps("reading motion", stderr_console()) as progress:
        written = write_motion(args.video, args.out, progress=progress)
    seconds = time.monotonic() - began
    height, width = written.source_size
    if args.json:
        summary = {"frames": written.frames, "telling": written.with_motion, "width": width, "height": height}
        damage = {"bad_packets": written.bad_packets, "reason": written.reason}
        print_json({"video": args.video, "out": args.out, **summary, **damage, "seconds": seconds})
    else:
        print(
            f"{args.out}: {written.frames} frames of {width}x{height}, "
            f"{written.with_motion} with motion ({seconds:.1f} s)"
        )
        if written.bad_packets:
            print(f"{written.bad_packets} packets are damaged: {written.reason}", file=sys.stderr)
    return 0
