"""The verbs of the command line, a line each; the module of a verb bears its name."""

VERBS = {
    "demo": "the whole job on the data set that ships: build, pretrain, evaluate, report",
    "dataset": "write a data set that ships: kinema dataset mocap DIR, or -steps, -people, -words, -qa",
    "scan": "look at every video of a folder: what is there, what is broken",
    "motion": "write a video's motion vectors as arrays, or draw them: kinema motion VIDEO -o FILE",
    "pretrain": "train an encoder, without a label by most methods: kinema pretrain METHOD DATA --out RUN",
    "evolve": "find the weights of elo's losses without a label: kinema evolve DATA --out DIR",
    "evaluate": "measure an encoder: kinema evaluate PROTOCOL RUN DATA",
    "report": "one page: did it help?",
    "embed": "write embeddings of videos, texts, tracklets or pairs into a table to be searched: kinema embed RUN DATA",
    "search": "find what is like a video, a picture, a text or a person: kinema search RUN clip.mp4@12.5-15",
    "cluster": "sort a table of embeddings into clusters, and name them: kinema cluster RUN --name 3=cartwheel",
    "dedupe": "find footage that is there twice, above all in train and in test: kinema dedupe VIDEOS, or RUN",
    "features": "what an encoder sees of videos, so many times a second, as files: kinema features RUN DATA",
    "ask": 'answer a question about a video: kinema ask RUN VIDEO "What does she do?" --options A B C',
    "segment": "divide footage of an activity into its steps: kinema segment RUN VIDEOS --steps 7 -o segments.csv",
    "serve": "a page on this machine that searches a table, or is asked about videos: kinema serve RUN",
    "export": "write a trained encoder for others: kinema export RUN --format onnx -o FILE",
}

OLD_VERBS = {"duplicates": ("dedupe",), "methods": ("pretrain", "--list")}
"""Verbs by their names of before, which go on answering for one release, and what they are now."""

OLD_OPTIONS = {"serve": {"--name": "--host_name"}}
"""Options by verb and their names of before, which go on answering for one release."""

SYNONYMS = {"embed": {"--table": "--out"}}
"""Options that may be called as other verbs call the same thing."""
