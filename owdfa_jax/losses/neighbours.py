"""Finds the neighbours of each row of a batch, on any number of devices.

One device computes the whole matrix of similarities. Several devices compute it
block by block around a ring, so that none holds the features of the whole
batch. The neighbours are the same; only the products may round differently.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from owdfa_jax.losses.ring import CompactViews, around_ring
from owdfa_jax.losses.similarity import (
  Factors,
  Neighbours,
  neighbours_of,
  product,
)


def find_neighbours(
  views: Sequence[Factors],
  *,
  compact: CompactViews | None = None,
  mesh: jax.sharding.Mesh | None = None,
  within: int = 0,
) -> list[Neighbours]:
  """Compares the rows of a batch in each of several views.

  Args:
    views: the factors of each view's similarities, with B rows.
    compact: what devices send in place of the views; None sends the views.
    mesh: the devices that the rows are split over, along one axis, `data`; None
      for one device.
    within: N, compare only the rows of each N that follow one another; 0
      compares all. N divides B, and either N divides the rows of a device or
      these divide N.

  Returns:
    For each view, the neighbours of each row in its group.
  """
  rows = len(views[0].left)
  within = within or rows
  per_device = rows if mesh is None else rows // mesh.size
  if mesh is not None and within > per_device:
    return around_ring(views, compact, mesh, within // per_device)
  if within == rows:
    return [neighbours_of(product(view)) for view in views]
  return [_in_groups(view, within) for view in views]


def _in_groups(view: Factors, size: int) -> Neighbours:
  """Compares the rows of each group of `size`; no device splits a group."""
  grouped = Factors(
    *(x.reshape(-1, size, *x.shape[1:]) for x in (view.left, view.right))
  )
  found = jax.vmap(lambda group: neighbours_of(product(group)))(grouped)
  first_row = size * jnp.arange(len(found.nearest), dtype=jnp.int32)
  found = found._replace(nearest=found.nearest + first_row[:, None])
  return Neighbours(*(x.reshape(-1) for x in found))
