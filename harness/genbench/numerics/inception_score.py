"""The Inception score (Salimans et al. 2016): how sure a classifier is of samples, and how varied they are to it."""

import torch
from torch import Tensor

from genbench.numerics.checks import check_finite, check_rows


def inception_scores(logits: Tensor, splits: int = 10) -> Tensor:
    """Return exp(mean KL(p(y|x) ‖ p(y))) of each of `splits` parts of the logits (n, classes), (splits,) float64.

    Parts are of consecutive rows, nearly equal in number, each with its own p(y). What is published is their mean and
    `std(correction=0)`; they share no rows, so `std() / √splits` is the mean's standard error. Each is from 1 to the
    number of classes, and grows with the rows of a part. In float64.

    Raises ValueError for fewer rows than parts and for values that are not finite.
    """
    return _scores(_checked(logits, splits, "logits"), splits, are_logits=True)


def inception_scores_of_probabilities(probabilities: Tensor, splits: int = 10) -> Tensor:
    """Return the same from p(y|x) (n, classes) itself, of which some may be 0.

    Raises ValueError too for values below 0 and for rows that do not sum to 1.
    """
    values = _checked(probabilities, splits, "probabilities")
    sums = values.sum(1, dtype=torch.float64)
    if bool((values < 0).any()) or bool(((sums - 1).abs() > 1e-3).any()):
        raise ValueError(
            f"probabilities from {float(values.min()):g}, rows with sums from {float(sums.min()):g} to "
            f"{float(sums.max()):g}: expected values of at least 0 and sums of 1; for logits there is inception_scores"
        )
    return _scores(values, splits, are_logits=False)


def _checked(values: Tensor, splits: int, name: str) -> Tensor:
    if splits < 1:
        raise ValueError(f"{splits} splits: expected at least one")
    if values.dim() != 2:
        raise ValueError(f"{name} of shape {tuple(values.shape)}: expected (n, classes)")
    check_rows(values, name, least=splits)
    check_finite(values, name)
    return values


def _scores(values: Tensor, splits: int, are_logits: bool) -> Tensor:
    n = len(values)
    parts = [values[i * n // splits : (i + 1) * n // splits].double() for i in range(splits)]
    return torch.stack([_score(part.softmax(1) if are_logits else part) for part in parts])


def _score(p: Tensor) -> Tensor:
    """Return exp(H(y) - H(y|x)), which is the mean divergence; 0 log 0 = 0."""
    return (_entropy(p.mean(0)) - _entropy(p).mean()).exp()


def _entropy(p: Tensor) -> Tensor:
    return -torch.xlogy(p, p).sum(-1)
