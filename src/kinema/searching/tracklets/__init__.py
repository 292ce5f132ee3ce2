"""Search in tracklets: where is this person again? A query is a tracklet, a folder of crops or a picture.

``schema`` defines the columns, ``embed`` creates and updates the table, and ``find`` searches it. Storage, lock, index
and conditions are shared with the other tables; vectors are not centred, so that scores are those that
re-identification is measured by.
"""
