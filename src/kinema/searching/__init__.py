"""Search: windows of videos as rows of a LanceDB table, and what is asked of it.

``embed`` makes and renews the table, ``find`` asks it, ``grouping`` sorts it into clusters, ``alike`` looks for pairs.
The room is called *searching* because ``kinema.search`` is a function, which a module of that name would hide.
"""
