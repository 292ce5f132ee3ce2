"""Footage divided into steps: the record of what was found, and files of it for others.

``segmentation`` is the record: which stretch of which video is which step, the steps' names and most typical clips;
``formats`` writes it as CSV, JSON, WebVTT and ELAN's EAF.
"""
