"""Pairs of a picture and a text: read from tables, folders, known sets, and videos with their subtitles."""
