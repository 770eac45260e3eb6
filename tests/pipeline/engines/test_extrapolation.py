"""Logits are moved before the softmax, not log-probabilities after it."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engines.extrapolation import ExtrapolatedModel, extrapolated
from schemas.errors import EngineUnavailable


def tensor(*values: float) -> Any:
    import torch

    return torch.tensor(values)


def test_the_example_of_two_tokens() -> None:
    moved = extrapolated(tensor(1.0, 0.0), tensor(0.0, 0.0), 0.5)
    assert moved.tolist() == [1.5, 0.0]
    assert float(moved.log_softmax(-1)[0]) == pytest.approx(-0.2014, abs=1e-4)
    # Log-probabilities moved by as much would be none: they give -0.1233.
    after = 1.5 * tensor(1.0, 0.0).log_softmax(-1) - 0.5 * tensor(0.0, 0.0).log_softmax(-1)
    assert float(after[0]) == pytest.approx(-0.1233, abs=1e-4)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=6))
def test_none_is_the_model_itself_and_equals_have_no_direction(
    pairs: list[tuple[float, float]],
) -> None:
    own, origin = (tensor(*values) for values in zip(*pairs, strict=True))
    assert extrapolated(own, origin, 0.0).tolist() == own.tolist()
    assert extrapolated(own, own, 0.5).tolist() == pytest.approx(own.tolist(), abs=1e-5)


def stub(n_tokens: int) -> Any:
    return SimpleNamespace(get_input_embeddings=lambda: SimpleNamespace(num_embeddings=n_tokens))


def test_vocabularies_must_be_of_one_size() -> None:
    with pytest.raises(EngineUnavailable, match=r"vocabulary of 7 .* of 8"):
        ExtrapolatedModel(stub(7), stub(8), 0.5)
