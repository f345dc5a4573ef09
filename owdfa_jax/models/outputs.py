"""What every classifier returns."""

import flax.struct
import jax


@flax.struct.dataclass
class Outputs:
  """One forward pass over a batch of B images; all float32.

  Attributes:
    logits: [B, K], one column per known and novel class.
    feature: [B, C], the global feature after the batch-norm neck.
    parts: one [B, P, C] per grid, P = cells of the grid, row by row; each cell
      is normalised over the batch. Empty in evaluation; carries no gradient.
    bands: the wavelet's detail bands LH, HL, HH, each [B, P, C]. Empty in
      evaluation and without the wavelet; carries no gradient.
  """

  logits: jax.Array
  feature: jax.Array
  parts: tuple[jax.Array, ...] = ()
  bands: tuple[jax.Array, ...] = ()
