"""k-means cells of a set, by scikit-learn, and which cell each example of any set lies in."""

import torch
from torch import Tensor

from genbench.numerics.checks import check_finite, check_rows
from genbench.numerics.distances import squared_distances


def k_means(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return `count` centres (count, d) of x (n, ...): scikit-learn's MiniBatchKMeans, the best of ten starts.

    Seeded by the generator alone. Raises ValueError for fewer rows than centres and for values that are not finite.
    """
    from sklearn.cluster import MiniBatchKMeans  # takes a second

    if count < 1:
        raise ValueError(f"{count} clusters: expected at least one")
    check_rows(x, "clustered features", least=count)
    check_finite(x, "clustered features")
    seed = int(torch.randint(2**31 - 1, (1,), generator=generator, device=generator.device))
    fitted = MiniBatchKMeans(count, n_init=10, random_state=seed).fit(x.flatten(1).float().cpu().numpy())
    return torch.from_numpy(fitted.cluster_centers_).to(x.device)


def nearest_centres(x: Tensor, centres: Tensor, memory_mib: float = 128) -> Tensor:
    """Return the number of the centre nearest to each row of x (n, ...), (n,); the first of those equally near."""
    blocks = squared_distances(x, centres, memory_mib, names=("features", "centres"))
    return torch.cat([distances.argmin(1) for _, distances in blocks])
