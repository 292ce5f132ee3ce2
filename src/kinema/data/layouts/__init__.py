"""What is known of videos besides their pixels: from a folder's own signs, or from the lists of a known data set.

``folder`` reads a plain folder, its class folders or ``labels.csv``. A file for each known data set says how it lies on
disk; ``layout`` lays the lists over the files, ``tree`` reads both, and ``opening`` knows all of them by name.
"""

from __future__ import annotations

from kinema.data.layouts.folder import apply_labels
from kinema.data.layouts.opening import LAYOUTS, open_data, root_of, scan_data

__all__ = ["LAYOUTS", "apply_labels", "open_data", "root_of", "scan_data"]
