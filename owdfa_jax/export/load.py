"""Loads an export: needs JAX and NumPy, but no run, no Flax and no Orbax."""

import os
from typing import Any

import jax
import numpy as np

from input_pipeline.errors import UserError
from owdfa_jax.export.exported_files import read_description, read_program


def load_exported(folder: str | os.PathLike[str]) -> 'ExportedNetwork':
  """Returns the network of an export; `owdfa_jax.load_export` is this function.

  Args:
    folder: what `owdfa export` wrote.

  Raises:
    UserError: a file is missing, damaged or of a later version.
  """
  description = read_description(folder)
  return load_program(read_program(folder, description), description)


def load_program(
  program: bytes, description: dict[str, Any]
) -> 'ExportedNetwork':
  """Returns the network of a program.

  Args:
    program: the bytes of its file.
    description: the content of `export.json`.

  Raises:
    UserError: this version of JAX cannot read the program.
  """
  try:
    return ExportedNetwork(
      jax.export.deserialize(bytearray(program)), description
    )
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'the export cannot be read: {error}; use jax '
      f'{description.get("made_by", {}).get("jax")}, which made it'
    ) from error


class ExportedNetwork:
  """A network without its run.

  Attributes:
    classes: the names of the sources: known ones first.
    outputs: the name of each of the K outputs. Two outputs of one name are one
      source: their probabilities add up.
    num_known: the number of known sources, whose outputs come first.
    image_size: S; it sees images of S x S pixels.
    unseen_threshold: the `unseen_score` above which an image is of none of the
      sources; None if the run had none.
    platforms: what it runs on, of cpu, cuda and tpu.
    description: the content of `export.json`.
  """

  def __init__(self, program: jax.export.Exported, description: dict[str, Any]):
    """Takes what `load_exported` read."""
    self.description = description
    self.classes = tuple(description['classes'])
    self.outputs = tuple(description['outputs'])
    self.num_known = int(description['num_known'])
    self.image_size = int(description['image_size'])
    self.unseen_threshold = description['unseen_threshold']
    self.platforms = program.platforms
    self._call = jax.jit(program.call)

  def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Returns what the network says of images.

    The first call with a number of images compiles the program for it.

    Args:
      images: uint8 [B, S, S, 3], RGB, B at least 1. They are prepared as
        `description['preparation']` says.

    Returns:
      `log_probability` float32 [B, K], `feature` float32 [B, C] and, where the
      run has sources, `unseen_score` float32 [B].

    Raises:
      ValueError: the images are of another shape or dtype.
    """
    size = self.image_size
    fits = images.ndim == 4 and images.shape[1:] == (size, size, 3)
    if images.dtype != np.uint8 or not fits or not len(images):
      raise ValueError(
        f'images are {images.dtype} {list(images.shape)}; give uint8 '
        f'[B, {size}, {size}, 3] with B at least 1'
      )
    return jax.tree.map(np.asarray, self._call(images))
