"""From files of video to frames, motion vectors, sound and what a scan says of them."""
