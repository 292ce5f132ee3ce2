"""Tables of documents: a text asks, passages answer.

``schema`` has the columns, ``encode`` makes the vectors of a document's passages, ``embed`` makes and renews the table,
``find`` asks it. Where a table lies, its lock, its index, its centre and its conditions are those of tables of videos.
"""
