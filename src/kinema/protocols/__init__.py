"""Runs a protocol: from models and a manifest to results that carry what they were measured on.

The figures themselves come from ``kinema.evaluation``, which sees arrays only. Here are the videos, their labels and
the record: one file a protocol, and beside them what they share. ``protocols.py`` lists them and loads nothing heavy.
"""
