"""A server in a process of its own, as a user starts it."""

import contextlib
import json
import os
import subprocess
import sys

START = "from kinema.cli import main; main()"


@contextlib.contextmanager
def started(run, *words):
    """(its address, its process); the process is ended if it has not."""
    command = [sys.executable, "-c", START, "serve", str(run), "--port", "0", "--device", "cpu", "--json", *words]
    environment = {name: value for name, value in os.environ.items() if name != "KINEMA_TOKEN"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)["url"], process
        finally:
            process.kill()
