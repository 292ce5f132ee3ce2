"""Protocols: from models and data to results that carry what they were measured on, a file a protocol.

Each file defines one :class:`~kinema.core.protocol.Protocol`, and ``table.py`` has a row for each. The figures
themselves come from ``kinema.evaluation``, which sees arrays only. Here are the videos, their labels and the record,
and beside the protocols what they share. Importing the table loads nothing heavy.
"""
