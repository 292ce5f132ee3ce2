"""What a report knows of encoders and protocols, as data: their names, their order, and what is compared with what.

The report is made from run folders, which name encoders and protocols by short strings. A vocabulary says what they
mean. It is built from the table of methods and the table of protocols, so that the report itself lists neither.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from kinema.core.errors import UsageError
from kinema.core.protocol import Metric, Protocol

Role = Literal["untrained", "baseline", "method", "reference"]
"""What an encoder is to a comparison: an untrained network, what methods are held against, a method, or a reference
that learnt from labels."""


@dataclass(frozen=True)
class Contrast:
    """The simpler form of a method that the report compares it with in a note of its own.

    Args:
        encoder: the simpler form.
        sentence: how the note begins, with {} for its main figure: 'Against … ({}), the cascade is'.
    """

    encoder: str
    sentence: str


@dataclass(frozen=True)
class EncoderEntry:
    """One kind of encoder as a report knows it.

    Args:
        title: its name as a reader sees it.
        short: the same for a narrow column; empty where the title is short enough.
        role: what it is to a comparison.
        method: the method whose phases train it, where that is not of the same name.
        priority: of several methods the headline judges the one of the highest priority, then the first.
        settings: settings of the method that distinguish encoders of one name, in the order in which they are written.
        contrast: a simpler form that it is compared with.
        modality: 'video', 'text', ….
        unit: what it learns from, in the plural: 'videos', 'documents', ….
        learns_from: what it is told beside them, for instance 'their answers'; empty for methods without labels.
    """

    title: str
    short: str = ""
    role: Role = "method"
    method: str = ""
    priority: int = 0
    settings: tuple[str, ...] = ()
    contrast: Contrast | None = None
    modality: str = "video"
    unit: str = "videos"
    learns_from: str = ""


@dataclass(frozen=True)
class Vocabulary:
    """Encoders and protocols by name.

    Args:
        encoders: in the order in which a report lists them, those of the role 'reference' last.
        protocols: in the order in which a report lists them.
    """

    encoders: Mapping[str, EncoderEntry] = field(default_factory=dict)
    protocols: Mapping[str, Protocol[Any]] = field(default_factory=dict)

    def encoder(self, name: str) -> EncoderEntry:
        """The entry of an encoder. One that is not known goes by its name; 'a+b' is a with b beside it."""
        if name in self.encoders:
            return self.encoders[name]
        parts = name.split("+")
        if len(parts) == 1:
            return EncoderEntry(name)
        first = self.encoder(parts[0])
        title = " + ".join(self.encoder(part).title for part in parts)
        return EncoderEntry(title, settings=first.settings, modality=first.modality, unit=first.unit)

    def title(self, encoder: str, protocol: str = "") -> str:
        """An encoder's name; an untrained one has another where the protocol trains it."""
        scratch = self.protocol(protocol).from_scratch if protocol else ""
        return scratch if scratch and self.is_untrained(encoder) else self.encoder(encoder).title

    def short(self, encoder: str) -> str:
        """An encoder's name for a narrow column."""
        entry = self.encoder(encoder)
        return entry.short or entry.title

    def is_untrained(self, encoder: str) -> bool:
        """Whether it is a network as it was before training."""
        return self.encoder(encoder).role == "untrained"

    def is_labelled(self, encoder: str) -> bool:
        """Whether it learnt from labels."""
        return self.encoder(encoder).role == "reference"

    def learns_from_labels(self, encoder: str) -> bool:
        """Whether it was told labels, or answers: a reference, or a method that needs them."""
        return self.is_labelled(encoder) or bool(self.encoder(encoder.partition("+")[0]).learns_from)

    def is_baseline(self, encoder: str) -> bool:
        """Whether methods are held against it."""
        return self.encoder(encoder).role == "baseline"

    def is_method(self, encoder: str) -> bool:
        """Whether it is judged, rather than what others are held against."""
        return self.encoder(encoder).role == "method"

    def is_candidate(self, encoder: str) -> bool:
        """Whether a user could keep it: it was trained, and without labels."""
        return self.encoder(encoder).role in ("baseline", "method")

    def usual_baseline(self, modality: str) -> str:
        """The title of the first baseline of a modality; empty where there is none."""
        known = (each for each in self.encoders.values() if (each.role, each.modality) == ("baseline", modality))
        first = next(known, None)
        return first.title if first is not None else ""

    def method_of(self, encoder: str) -> str:
        """The method whose phases train an encoder; of several beside one another the first."""
        first = encoder.partition("+")[0]
        return self.encoder(first).method or first

    def of_method(self, method: str) -> EncoderEntry:
        """The entry of an encoder that a method trains; those that go by another name included."""
        return next((each for each in self.encoders.values() if each.method == method), self.encoder(method))

    def encoder_place(self, encoder: str) -> tuple[int, str]:
        """Sorts encoders: as listed, then by name, then those that learnt from labels."""
        names = [name for name, each in self.encoders.items() if each.role != "reference"]
        if encoder in names:
            return (names.index(encoder), encoder)
        return (len(names) + self.is_labelled(encoder), encoder)

    def protocol(self, name: str) -> Protocol[Any]:
        """The protocol of that name; one that is not known has no figures of its own."""
        if name in self.protocols:
            return self.protocols[name]
        title = name[:1].upper() + name[1:]
        return Protocol(
            name=name, title=title, question="", explains="", presets={}, metrics={}, main="", measure=_unknown
        )

    def protocol_place(self, name: str) -> int:
        """Sorts protocols as listed, those that are not known last."""
        return list(self.protocols).index(name) if name in self.protocols else len(self.protocols)

    def main(self, protocol: str, metrics: Container[str]) -> str | None:
        """The main figure among the metrics of a result, or None. An unknown protocol has that of a known one."""
        known = self.protocols.get(protocol)
        names = [known.main] if known is not None else [each.main for each in self.protocols.values()]
        return next((name for name in names if name in metrics), None)

    def metric(self, name: str, protocol: str = "") -> Metric:
        """How a figure is written: as its protocol has it, or any; one that is not known goes by its name."""
        first = self.protocols.get(protocol)
        found = (each.metric(name) for each in (*([first] if first else []), *self.protocols.values()))
        return next((metric for metric in found if metric is not None), Metric(name))

    def leading(self, modality: str) -> list[Protocol[Any]]:
        """The protocols that a report's headline may rest on, those of the modality first."""
        return sorted((each for each in self.protocols.values() if each.headline), key=lambda p: p.modality != modality)


def _unknown(request: object) -> NoReturn:  # noqa: ARG001 - the contract
    raise UsageError("This protocol is known by its results alone and cannot be measured.")
