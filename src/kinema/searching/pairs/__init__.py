"""Search in pairs: words find pictures, a picture finds others, by vectors, by codes of a few bits, or by both.

``schema`` defines the columns, ``embed`` creates and updates the table, ``query`` tells what is asked, ``codes``
compares codes, and ``find`` searches the table. Storage, lock and conditions are shared with the other tables; vectors
are not centred, so that scores are those that hashing is measured by.
"""
