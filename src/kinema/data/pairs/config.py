"""The settings of pairs as data, and what they load: from pictures with texts to batches."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from kinema.core.cost import CacheEstimate
from kinema.core.errors import ConfigError, DataError, RunError
from kinema.core.files import write_json
from kinema.core.pairs import IMAGE, TEXT, VIEWS, PairNeeds, PairView, weights_of
from kinema.core.reading import read_object
from kinema.data.pairs.checking import vector_width
from kinema.data.pairs.choosing import check_labels, chosen, described, with_words
from kinema.data.pairs.table import Pairs
from kinema.data.pairs.texts import TOKENIZER, WORDS, BagCoder, Coder, Texts, TokenCoder, Vocabulary, WordCoder

if TYPE_CHECKING:
    from kinema.data.documents.tokenizer import Tokenizer
    from kinema.data.pairs.example import PairExample
    from kinema.data.pairs.module import PairModule
    from kinema.data.pairs.reader import PairReader
    from kinema.data.pairs.store import PictureSource

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
TextForm = Literal["bag", "words", "tokens", "vectors"]

LABELS = "labels.json"
"""The labels that a run learns, in the order of its classifiers' columns."""

TOKENIZERS = (TOKENIZER, "tokenizer_config.json", "vocab.txt", "vocab.json", "spiece.model")
"""Any of which a folder holds that a tokenizer can be read from."""

_DAMAGED = "The run folder is damaged; train again."


@dataclass(frozen=True)
class PairsConfig:
    """How pairs of a picture and a text are read and shown.

    Args:
        height: pixels of the pictures that a network is given.
        width: pixels, as the height.
        text: how texts are given to a network: 'bag', TF-IDF vectors of words; 'words', ids of words for a text CNN;
            'tokens' of a tokenizer, for the network of a text run; or stored 'vectors', FILE.npy[ROW].
        vocabulary: most words that are kept, the most frequent ones.
        max_length: words or tokens of a text; what is longer is cut.
        tokenizer: under 'tokens', a tokenizer.json, or a folder or a run with one.
        labels: where labels come from: 'given' by the data, or the 'words' of the texts that occur in at least
            min_count pairs and at most half of them.
        min_count: labels of fewer pairs to learn from are left out.
        flip: whether every other picture is turned over, left for right, in training.
        crop: in training, up to this share of each side of a picture is cut off at random.
        colours: in training, how much brightness, contrast and saturation vary; 0 leaves them as they are.
        held_out: the share of sources held out for measurement, where the data have no splits.
        split: which draw of them.
        cache_gib: pictures above this size are read from their files each time.
    """

    unit: ClassVar[str] = "pairs"
    rows: ClassVar[str] = "pairs"
    least: ClassVar[int] = 2
    scan: ClassVar[str] = "Each needs a picture that can be read, and a text; the log names those that have not."
    takes: ClassVar[str] = (
        "a pairs.csv (image, text, labels), a folder of pictures with texts of the same name, videos with subtitles, "
        "or a known data set as NAME:PATH"
    )
    loading: ClassVar[str] = "reading pictures and texts"
    left_out_file: ClassVar[str] = "left_out.json"
    identity: ClassVar[tuple[str, ...]] = (
        *("height", "width", "text", "vocabulary", "max_length", "tokenizer", "labels", "min_count"),
        *("flip", "crop", "colours", "held_out", "split"),
    )
    changeable: ClassVar[tuple[str, ...]] = ("cache_gib",)

    height: int = 64
    width: int = 64
    text: TextForm = "bag"
    vocabulary: int = 8192
    max_length: int = 64
    tokenizer: str = ""
    labels: Literal["given", "words"] = "given"
    min_count: int = 2
    flip: bool = True
    crop: float = 0.1
    colours: float = 0.2
    held_out: float = 0.25
    split: int = 0
    cache_gib: float = 20.0

    def __post_init__(self) -> None:
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise ConfigError(f"Pictures are {self.height} x {self.width} pixels; each must be from 1 to 4096.")
        for name, known in (("text", get_args(TextForm)), ("labels", ("given", "words"))):
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} is '{getattr(self, name)}'.", f"Choose one of: {', '.join(known)}.")
        for name, value in (("vocabulary", self.vocabulary), ("min_count", self.min_count)):
            if value < 1:
                raise ConfigError(f"{name} is {value}; it must be at least 1.")
        if self.max_length < 1:
            raise ConfigError(f"max_length is {self.max_length}; it must be at least 1.")
        if not 0 <= self.crop < 0.5:
            raise ConfigError(f"crop is {self.crop}; it is a share of each side, from 0 to below 0.5.")
        if not 0 <= self.colours <= 1:
            raise ConfigError(f"colours is {self.colours}; it must be from 0 to 1.")
        if not 0 <= self.held_out < 1:
            raise ConfigError(f"held_out is {self.held_out}; it is a share of sources, from 0 to below 1.")
        if not self.cache_gib >= 0:
            raise ConfigError(f"cache_gib is {self.cache_gib}; it must not be negative.")
        if self.labels == "words" and self.text == "vectors":
            raise ConfigError("labels is 'words' and text 'vectors', which hold no words.", "Set labels to given.")

    def open(self, data: str | Path | Pairs) -> Pairs:
        """The pairs of a table, a folder or a known data set, each with its split; a table is taken as it is.

        Raises:
            DataError: there are none; the message says what is there instead.
        """
        if isinstance(data, Pairs):
            return data
        if not isinstance(data, str | Path):
            raise DataError(
                f"Pairs are read from a table or a folder; a {type(data).__name__} was given.",
                "Give a pairs.csv with the columns image, text and labels.",
            )
        from kinema.data.pairs.reading import read_pairs

        return read_pairs(data, held_out=self.held_out, split=self.split)

    def check(self, needs: Any) -> None:
        """Refuses what is not ``PairNeeds``.

        Raises:
            ConfigError: says what the data are.
        """
        for one in needs if isinstance(needs, list | tuple) else [needs]:
            if not isinstance(one, PairNeeds):
                raise ConfigError(
                    f"The method needs {type(one).__name__}, and the data are pairs of pictures and texts.",
                    "Choose a method of pairs, for instance dcvh.",
                )

    def usable(self, table: Pairs, needs: Sequence[PairNeeds]) -> tuple[Pairs, Mapping[str, str]]:
        """The pairs that every phase can learn from, with the labels that are kept, and why not the others, by name.

        Raises:
            DataError: fewer than two are left, or labels are of one class only.
        """
        self.check(needs)
        found = chosen(table, needs, self)
        labelled = any(one.labels for one in needs)
        if labelled:
            check_labels(found)
        elif not found.table.rows:
            raise DataError(f"None of the {len(found.left_out)} pairs can be learnt from: {described(found.left_out)}.")
        if found.rare:
            named = ", ".join(f"'{label}'" for label in list(found.rare)[:5])
            more = f" and {len(found.rare) - 5} more" if len(found.rare) > 5 else ""
            log.warning(
                "%d labels are left out, for they occur in fewer than %d pairs to learn from, %d of them once: %s%s.",
                len(found.rare),
                self.min_count,
                sum(count == 1 for count in found.rare.values()),
                named,
                more,
            )
        if table.split_from == "drawn" and {row.split for row in found.table.rows} == {"train"}:
            log.warning(
                "The data have no splits: %d pairs are learnt from, and the others are held out for `kinema evaluate "
                "hashing`. --held_out 0 learns from all, --split %d from others.",
                len(found.table),
                self.split + 1,
            )
        if labelled:
            log.info("%d pairs to learn from, of %d labels.", len(found.table), len(found.table.classes()))
        return found.table, found.left_out

    def reports_left_out(self, needs: Sequence[PairNeeds]) -> bool:  # noqa: ARG002 - the contract
        """Pairs can always be left out."""
        return True

    def left_out(self, reasons: Mapping[str, str], rows: int) -> str:
        """What a person reads of the pairs that :meth:`usable` left out."""
        return f"{len(reasons)} of {rows} pairs are left out: {described(reasons)}."

    def with_weights(self, weights: str) -> PairsConfig:
        """The settings with the tokenizer that lies beside the weights of a text's network, where none is named."""
        text = weights_of(weights).get(TEXT, "")
        if self.tokenizer or not text or not any((Path(text) / name).is_file() for name in TOKENIZERS):
            return self
        return replace(self, text="tokens", tokenizer=text)

    def fitted(self, table: Pairs) -> PairsConfig:
        """The settings with what the data tell: texts that are stored vectors are taken as such.

        Args:
            table: the pairs.

        Raises:
            DataError: some texts are stored vectors and some are words.
        """
        stored = self.text == "bag" and vector_width(table, TEXT) > 0
        return replace(self, text="vectors") if stored else self

    def labelled(self, table: Pairs, labels: Sequence[str]) -> Pairs:
        """A table as a run sees its labels: under ``labels='words'``, which of a run's labels its texts hold.

        Args:
            table: the pairs.
            labels: the run's.
        """
        if self.labels == "given":
            return table
        return replace(table, rows=tuple(with_words(row, labels) for row in table.rows))

    def image_width(self, table: Pairs) -> int:
        """F, numbers of a stored picture's vector; 0 of pictures.

        Args:
            table: the pairs.

        Raises:
            DataError: some rows have vectors and some pictures, or vectors have several widths.
        """
        return vector_width(table, IMAGE)

    def text_width(self, table: Pairs, needs: Sequence[PairNeeds] = ()) -> tuple[int, int]:
        """V, numbers of a text's vector, 0 of ids; and how many rows an embedding of the ids needs, 0 of vectors.

        Args:
            table: the pairs to learn from.
            needs: of every phase, where the table may hold rows that they cannot use.

        Raises:
            DataError: some rows have stored vectors and some words, vectors have several widths, or there is no word.
        """
        coder = self.coder(chosen(table, needs, self).table if needs else table)
        return (vector_width(table, TEXT), 0) if coder is None else (coder.features, coder.vocabulary)

    def load(
        self,
        table: Pairs,
        needs: Sequence[PairNeeds],
        *,
        folder: Path | None = None,
        cache: Path | None = None,
        progress: Progress | None = None,
    ) -> LoadedPairs:
        """The pictures decoded once, and the texts as a network takes them.

        Without a cache, or where they take more than ``cache_gib``, pictures are read each time they are asked for.

        Args:
            table: usable pairs.
            needs: of every phase.
            folder: of a run. Where it holds words or a tokenizer these are taken, and nothing is learnt.
            cache: where pictures are kept; None for nowhere.
            progress: is called with (pictures done, pictures).

        Raises:
            DataError: a picture cannot be read, or rows are of pictures and of stored vectors.
        """
        from kinema.data.pairs.store import StoredTexts, pictures_of

        self.check(list(needs))
        views = tuple(view for view in VIEWS if any(view in one.views for one in needs))
        pictures = texts = coder = None
        if IMAGE in views:
            pictures = pictures_of(table, self, cache, progress)
        if TEXT in views:
            coder = self.coder(table, folder)
            texts = StoredTexts.of(table) if coder is None else coder.coded([row.text for row in table.rows])
            self._warn_of_unknown(int(texts.unknown.sum()))
        return LoadedPairs(self, table, views, pictures, texts, coder)

    def coder(self, table: Pairs, run: Path | None = None) -> Coder | None:
        """What makes texts into what a network takes; None of stored vectors.

        Args:
            table: the pairs to learn from.
            run: a run's folder, which may keep what is needed already.

        Raises:
            DataError: texts are stored vectors and others were asked for, or the other way round; or hold no word.
            ConfigError: there is no tokenizer.
            RunError: what the run keeps is damaged.
        """
        self.check_form(table)
        kept = TOKENIZER if self.text == "tokens" else WORDS
        if self.text == "vectors" or (run is not None and (run / kept).is_file()):
            return None if run is None else self.kept_coder(run)
        if self.text == "tokens":
            return TokenCoder(self._tokenizer(), self.max_length)
        known = Vocabulary.learn((row.text for row in table.rows), self.vocabulary)
        if not known.words:
            raise DataError(f"The texts of all {len(table)} pairs hold no word.", "Give words, or tags.")
        return BagCoder(known) if self.text == "bag" else WordCoder(known, self.max_length)

    def kept_coder(self, run: Path) -> Coder | None:
        """What makes texts into what a run's network takes, as the run keeps it; None of stored vectors.

        Args:
            run: its folder.

        Raises:
            RunError: what is needed is not there, or damaged.
        """
        from kinema.data.documents.tokenizer import Tokenizer

        if self.text == "vectors":
            return None
        if self.text != "tokens":
            known = Vocabulary.read(run)
            return BagCoder(known) if self.text == "bag" else WordCoder(known, self.max_length)
        if not (run / TOKENIZER).is_file():
            raise RunError(f"The run '{run}' has no {TOKENIZER}.", _DAMAGED)
        return TokenCoder(Tokenizer.read(run / TOKENIZER), self.max_length)

    def check_form(self, table: Pairs) -> None:
        """Refuses texts that are stored vectors where words are taken, and the other way round.

        Args:
            table: the pairs.

        Raises:
            DataError: says which.
        """
        if not len(table):
            return
        width = vector_width(table, TEXT)
        if self.text == "vectors" and not width:
            raise DataError(
                "The texts are words, and text is 'vectors'.",
                "Choose how words are given: --text bag, words or tokens.",
            )
        if self.text != "vectors" and width:
            raise DataError(
                f"The texts are stored vectors of {width} numbers, and text is '{self.text}', which takes words.",
                "Take them as they are: --text vectors.",
            )

    def reader(self, tower: Any, view: str, **about: Any) -> PairReader:
        """The trained towers as a reader of pictures and texts.

        Args:
            tower: a ``kinema.methods.dcvh.HashTower``.
            view: its name.
            **about: name, run, towers, seed and more; see :class:`kinema.data.pairs.reader.PairReader`.
        """
        from kinema.data.pairs.reader import PairReader

        return PairReader(tower, view, self, **about)

    def example(self) -> PairExample:
        """Made-up pairs for trying a method; nothing is read."""
        from kinema.data.pairs.example import PairExample

        return PairExample(self.text)

    def _tokenizer(self) -> Tokenizer:
        from kinema.data.documents.tokenizer import Tokenizer

        if not self.tokenizer:
            raise ConfigError(
                "text is 'tokens', and there is no tokenizer.",
                "Set tokenizer to a folder with a tokenizer.json, or start from a text run: --weights text=RUN.",
            )
        return Tokenizer.read(Path(self.tokenizer).expanduser())

    def _warn_of_unknown(self, count: int) -> None:
        if count:
            log.warning(
                "%d texts are of no word that is kept; vocabulary keeps %d. They are learnt from all the same.",
                count,
                self.vocabulary,
            )


@dataclass(frozen=True)
class LoadedPairs:
    """Pairs that can be read, from which every phase takes its batches.

    Args:
        config: the settings.
        table: the pairs.
        views: what of them is needed.
        pictures: of each; None where none are needed.
        texts: of each, as a network takes them; None where none are needed.
        coder: that made them; None of stored vectors.
    """

    config: PairsConfig
    table: Pairs
    views: tuple[PairView, ...]
    pictures: PictureSource | None
    texts: Texts | None
    coder: Coder | None = None

    @property
    def rows(self) -> list[int]:
        """All rows."""
        return list(range(len(self.table)))

    @property
    def readable(self) -> int:
        """How many that are."""
        return len(self.table)

    @property
    def image_features(self) -> int:
        """F, numbers of a stored picture's vector; 0 of pictures."""
        shape = self.pictures.shape if self.pictures is not None else ()
        return shape[0] if len(shape) == 1 else 0

    @property
    def text_features(self) -> int:
        """V, numbers of a text's vector; 0 of ids."""
        if self.coder is None and self.texts is not None:
            return vector_width(self.table, TEXT)
        return self.coder.features if self.coder is not None else 0

    @property
    def text_vocabulary(self) -> int:
        """Rows that an embedding of a text's ids needs; 0 of vectors."""
        return self.coder.vocabulary if self.coder is not None else 0

    def cost(self, cache: Path) -> CacheEstimate:
        """What the pictures take in the cache.

        Args:
            cache: the folder of all caches; nothing is written.
        """
        from kinema.data.pairs.store import cost_of

        return cost_of(self.table, self.config, self.pictures, cache)

    def module(
        self,
        needs: PairNeeds,
        *,
        batch_size: int,
        seed: int,
        ledger: Path | None = None,  # noqa: ARG002 - all were looked at by now, and none can turn out broken
    ) -> PairModule:
        """The batches of one phase.

        Args:
            needs: what its method needs.
            batch_size: pairs of a batch on each rank.
            seed: of the run.
            ledger: where broken rows would be listed.

        Raises:
            ConfigError: ``batch_size`` is below 1.
        """
        from kinema.data.pairs.module import PairModule

        return PairModule(self, needs, batch_size=batch_size, seed=seed)

    def save(self, folder: Path) -> None:
        """Keeps the labels, and the words or the tokenizer with which new texts are read.

        Args:
            folder: the run's.
        """
        write_json(folder / LABELS, {"labels": list(self.table.classes())})
        if self.coder is not None:
            self.coder.save(folder)


def run_labels(run: Path) -> tuple[str, ...]:
    """The labels that a run learnt, in the order of its classifiers' columns.

    Args:
        run: its folder.

    Raises:
        RunError: it keeps none, or the file is damaged.
    """
    found = read_object(run / LABELS, error=RunError, hint=_DAMAGED).get("labels")
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found) or found != sorted(set(found)):
        raise RunError(f"'{run / LABELS}' holds no list of labels, each once and sorted.", _DAMAGED)
    return tuple(found)
