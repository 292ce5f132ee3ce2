"""Search: a LanceDB table of embeddings of video windows, and queries of it.

``embed`` creates and updates the table, ``find`` searches it, ``clustering`` clusters its rows, and ``near_duplicates``
finds similar pairs of videos. The package is called *searching* because ``kinema.search`` is a function, which a module
of that name would hide.
"""
