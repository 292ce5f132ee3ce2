"""Search: a LanceDB table of embeddings of video windows, and queries of it.

``embed`` creates and updates the table, ``find`` searches it, ``clustering`` clusters its rows, and ``near_duplicates``
finds similar pairs of videos. The package is called *searching* because ``kinema.search`` is a function, which a module
of that name would hide.

Tables of videos are here, those of documents and tracklets in ``documents`` and ``tracklets``. What they share:
``table_update`` (jobs, and an update from beginning to end), ``changes`` (new, changed, gone), ``columns``,
``table_settings``, and in ``find`` the options of a search, the open table and the result.
"""
