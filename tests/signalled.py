"""A signal to the test's own process."""

import gc
import signal


def signalled(number):
    """Sends it to this thread, so that it arrives here: a callback of the collector would swallow an interrupt."""
    gc.disable()
    try:
        signal.raise_signal(number)
    finally:
        gc.enable()
