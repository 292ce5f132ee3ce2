"""Search in documents: a query is a text, hits are passages.

``schema`` defines the columns, ``encode`` computes the vectors of passages, ``embed`` creates and updates the table,
and ``find`` searches it. Storage, lock, index, centre and conditions are shared with tables of videos.
"""
