"""The cosine of embeddings, against a loop."""

import numpy as np
import pytest

from kinema.core.errors import ShapeError
from kinema.core.ops import cosine_matrix


def test_it_is_the_cosine_of_every_pair():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 5)), 7 * rng.normal(size=(4, 5))
    expected = [[x @ y / (np.linalg.norm(x) * np.linalg.norm(y)) for y in b] for x in a]
    np.testing.assert_allclose(cosine_matrix(a, b), expected, atol=1e-6)
    assert cosine_matrix(a[0], b).shape == (1, 4)
    with pytest.raises(ShapeError, match=r"\(3, 5\) and \(4, 4\)"):
        cosine_matrix(a, b[:, :4])
