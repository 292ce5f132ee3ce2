"""The network of vectors: of a text's words or tags, or of features that are stored."""

from __future__ import annotations

from torch import Tensor, nn

from kinema.core.errors import ConfigError, ShapeError


class VectorMLP(nn.Module):
    """A linear layer, layer norm and ReLU over a vector, [N, F] to [N, hidden].

    The norm makes it learn at one rate from vectors of length one over thousands of words, of which few are not 0, and
    from dense features of any length. In evaluation mode an output depends on its own row alone.

    Args:
        features: F, what a vector has.
        hidden: units.
        dropout: of the units, in training.

    Attributes:
        channels: F.
        dim: hidden.

    Raises:
        ConfigError: it is not known how many features a vector has.
    """

    def __init__(self, features: int, hidden: int, dropout: float) -> None:
        super().__init__()
        if features < 1:
            raise ConfigError(
                "It is not known how many values a vector has.", "Set encoder's features; the data tell them in a run."
            )
        self.channels, self.dim = features, hidden
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Float [N, F] to [N, hidden].

        Raises:
            ShapeError: vectors are of another width.
        """
        if not isinstance(x, Tensor) or x.dim() != 2 or x.shape[1] != self.channels:
            given = f"vectors {tuple(x.shape)}" if isinstance(x, Tensor) else "tokens"
            raise ShapeError(f"The network takes vectors [N, {self.channels}], and {given} were given.")
        found: Tensor = self.dropout(self.norm(self.linear(x)).relu())
        return found

    def stages(self) -> list[list[nn.Parameter]]:
        """The parameters by depth: one layer."""
        return [list(self.parameters())]
