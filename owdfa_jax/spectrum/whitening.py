"""Principal components of features, and whitening, in NumPy.

A few directions vary much within each source, because of content, and hide
those that separate sources. Whitening divides each direction by its own spread.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

# Rows that are copied at a time: with 3,100 features of 4 bytes, 51 MB.
CHUNK = 4096
# Rows for each component, at least: with fewer, whitening blows up directions
# in which these rows happen to differ.
_ROWS_PER_COMPONENT = 10
# Components of less variance than this are rounding errors, which whitening
# would blow up; a feature has variance 1.
_LEAST_SHARE = 1e-6


@dataclasses.dataclass(frozen=True)
class Projection:
  """An affine map, x -> (x - mean) matrix.

  Attributes:
    mean: float32 [D].
    matrix: float32 [D, C].
  """

  mean: np.ndarray
  matrix: np.ndarray

  def __call__(self, features: np.ndarray) -> np.ndarray:
    """Maps float32 [N, D] to float32 [N, C]."""
    parts = [(rows - self.mean) @ self.matrix for rows in row_chunks(features)]
    return np.concatenate(parts)


def row_chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
  """Yields consecutive parts of at most `CHUNK` rows, without copying them."""
  for start in range(0, len(rows), CHUNK):
    yield rows[start : start + CHUNK]


def components_of_rows(num_rows: int, most: int) -> int:
  """Returns how many principal components so many rows can whiten, at least 1.

  Args:
    num_rows: ten of them are needed for each component.
    most: the largest number of components.
  """
  return max(1, min(most, num_rows // _ROWS_PER_COMPONENT))


def whitened_components(
  features: np.ndarray, num_components: int
) -> Projection:
  """Returns the map to principal components, each of variance 1.

  The features are brought to a standard deviation of 1 first. A constant
  feature has no effect.

  Args:
    features: float32 [N, D]; N is at least 1.
    num_components: the largest number of components, C. There are fewer if the
      rows do not span that many directions, or are fewer than ten for each. If
      all rows are alike there is one, of zeros.
  """
  # scikit-learn takes a second to load.
  from sklearn.decomposition import PCA

  most = min(num_components, features.shape[1])
  most = components_of_rows(len(features), most)
  mean = features.mean(0, dtype=np.float64)
  square = sum(((rows - mean) ** 2).sum(0) for rows in row_chunks(features))
  deviation = np.sqrt(square / len(features))
  # A constant feature has rounding errors around its mean.
  is_constant = deviation <= _LEAST_SHARE * (1 + np.abs(mean))
  inverse = np.where(is_constant, 0, 1 / np.where(is_constant, 1, deviation))
  mean, inverse = mean.astype(np.float32), inverse.astype(np.float32)
  if is_constant.all():
    # One component of zeros, since no classifier takes rows of no length.
    return Projection(mean, np.zeros((len(mean), 1), np.float32))
  rows = (features - mean) * inverse
  # Approximate, with a fixed seed: the exact decomposition of 3,000 features
  # takes a minute.
  found = PCA(most, svd_solver='randomized', random_state=0, copy=False).fit(
    rows
  )
  # scikit-learn divides by N - 1.
  variance = found.explained_variance_ * (1 - 1 / len(features))
  kept = variance > _LEAST_SHARE
  direction = found.components_[kept].T
  matrix = inverse[:, None] * direction / np.sqrt(variance[kept])
  return Projection(mean, matrix.astype(np.float32))


def within_class_whitening(
  components: np.ndarray, label: np.ndarray, shrinkage: float
) -> np.ndarray:
  """Returns the matrix that whitens the scatter of rows within their classes.

  S is the scatter (`class_scatter`), S_l = (1 - l) S + l I, and the matrix is
  S_l^(-1/2). The rows have the covariance I, so shrinkage moves the scatter
  within classes towards that of all rows. (`discovery.whitening.within_class`
  moves it towards a sphere of its own size: features have no common scale.)

  Args:
    components: float32 [N, C], whitened.
    label: int [N], a class, or -1 on an unlabelled row.
    shrinkage: l in (0, 1]; at 1 the matrix is the identity.

  Returns:
    float32 [C, C].
  """
  scatter = class_scatter(components, label)
  variance, direction = np.linalg.eigh(
    (1 - shrinkage) * scatter + shrinkage * np.eye(len(scatter))
  )
  return ((direction / np.sqrt(variance)) @ direction.T).astype(np.float32)


def class_scatter(rows: np.ndarray, label: np.ndarray) -> np.ndarray:
  """Returns the scatter of labelled rows around the mean of their class.

  Args:
    rows: float32 [N, C].
    label: int [N], a class, or -1 on an unlabelled row.

  Returns:
    float64 [C, C], divided by the number of labelled rows.
  """
  scatter = np.zeros((rows.shape[1], rows.shape[1]))
  for number in np.unique(label[label >= 0]):
    members = rows[label == number].astype(np.float64)
    members -= members.mean(0)
    scatter += members.T @ members
  return scatter / max(1, np.count_nonzero(label >= 0))
