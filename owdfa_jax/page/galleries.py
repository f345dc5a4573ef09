"""The images of each cluster that a page shows, and what they leave behind.

They are read from the packed test images once, and kept in `gallery-STEP.npz`,
so that the page can be drawn anew where the images are not at hand.
"""

import dataclasses
from typing import Protocol

import cv2
import numpy as np
from etils import epath

from input_pipeline.dataset import Split
from owdfa_jax.evaluation.checkpoint_arrays import CheckpointArrays
from owdfa_jax.page.run_files import RunFiles
from owdfa_jax.page.verdicts import Verdicts
from owdfa_jax.spectrum.features import image_residual, log_spectrum

# Images of a cluster of each kind, if the page has room for them.
_MOST_OF_A_KIND = 8
# On a page of less than 10 MB, an image being about 4 KB.
_MOST_IMAGES = 1000
# The side of a shown image, and of the windows of a spectrum, in pixels.
SIDE, WINDOW = 96, 64
# Images that are shown of a group that has as many.
_OF_A_GROUP = 4
# Images that the mean spectrum of a cluster or a known source is taken over.
_OF_A_SPECTRUM = 64
_NAMES = ('row', 'image', 'output', 'spectrum', 'digest')
GALLERY = CheckpointArrays('gallery', _NAMES)


@dataclasses.dataclass(frozen=True)
class Gallery:
  """Images and spectra of a run's clusters.

  Attributes:
    row: int [T], the test rows of the images.
    image: uint8 [T, s, s, 3].
    output: int [K], the outputs that test images got.
    spectrum: float32 [K, W, W], the mean log-spectrum of each output's
      residuals, less the mean over outputs; frequency 0 is in the middle.
  """

  row: np.ndarray
  image: np.ndarray
  output: np.ndarray
  spectrum: np.ndarray


class Answered(Protocol):
  """Answers for N images."""

  @property
  def output(self) -> np.ndarray:
    """The output of each, int [N]."""
    ...

  @property
  def confidence(self) -> np.ndarray:
    """How sure the network is of each, float [N]."""
    ...


def chosen_of_clusters(
  verdicts: Answered,
  num_outputs: int | None = None,
  most_images: int = _MOST_IMAGES,
) -> dict[int, tuple[list[int], list[int]]]:
  """Returns which images a page shows of each output.

  Args:
    verdicts: of the images.
    num_outputs: how many outputs the images of a page are shared out to; None
      for those that occur.
    most_images: how many images are shown of all outputs together.

  Returns:
    By output, the places of the images with the highest and with the lowest
    confidence, most and least certain first.
  """
  outputs = np.unique(verdicts.output)
  num_outputs = num_outputs or len(outputs)
  each = min(_MOST_OF_A_KIND, max(1, most_images // (2 * max(1, num_outputs))))
  chosen = {}
  for output in outputs:
    (places,) = np.nonzero(verdicts.output == output)
    order = places[np.argsort(-verdicts.confidence[places], kind='stable')]
    typical = order[:each].tolist()
    # No image is shown twice.
    doubtful = order[each:][::-1][:each].tolist()
    chosen[int(output)] = (typical, doubtful)
  return chosen


def read_gallery(run: RunFiles, step: int) -> Gallery | None:
  """Returns the kept images of a run; None without those of its evaluation.

  Args:
    run: the files of the run.
    step: the step of its checkpoint.

  Raises:
    UserError: the file is damaged or cannot be read.
  """
  found = GALLERY.read(epath.Path(run.workdir), step)
  if found is None or str(found['digest']) != run.digest:
    return None
  return Gallery(*(found[name] for name in _NAMES[:-1]))


def make_gallery(run: RunFiles, step: int, split: Split) -> Gallery:
  """Reads the images of a run's clusters, and writes the file of them.

  Args:
    run: the files of the run.
    step: the step of its checkpoint.
    split: the test images.

  Raises:
    UserError: a record is damaged, or the file cannot be written.
  """
  # Imported here because tensorflow-datasets takes a second to load.
  from input_pipeline.features import decode_image

  verdicts = run.verdicts
  # By name is another choice where probabilities of outputs were added up.
  places = sorted(
    {
      place
      for each in (verdicts, run.named)
      for kinds in chosen_of_clusters(each, run.num_outputs).values()
      for kind in kinds
      for place in kind
    }
  )
  row = np.array(verdicts.row[places])
  images = [
    mosaic([decode_image(split.source[r]) for r in shown_rows(verdicts, place)])
    for place in places
  ]
  outputs = np.unique(verdicts.output)
  spectra = []
  for output in outputs:
    rows = spectrum_rows(verdicts, int(output))
    spectra.append(mean_spectrum([decode_image(split.source[r]) for r in rows]))
  spectrum = np.stack(spectra)
  gallery = Gallery(row, np.stack(images), outputs, spectrum - spectrum.mean(0))
  GALLERY.write(
    epath.Path(run.workdir),
    step,
    vars(gallery) | {'digest': np.array(run.digest)},
  )
  return gallery


def by_name(gallery: Gallery, run: RunFiles) -> Gallery:
  """Returns a gallery with one spectrum for all outputs of a name.

  It is their mean, weighted by the images that got them.

  Args:
    gallery: the images and spectra of outputs.
    run: the files of the run.
  """
  count = np.array([(run.verdicts.output == k).sum() for k in gallery.output])
  output = np.array([run.first_output(int(k)) for k in gallery.output])
  found = np.unique(output)
  if len(found) == len(output):
    return gallery
  spectrum = [
    np.average(
      gallery.spectrum[output == k], axis=0, weights=count[output == k]
    )
    for k in found
  ]
  return dataclasses.replace(gallery, output=found, spectrum=np.stack(spectrum))


def shown_rows(verdicts: Verdicts, place: int) -> np.ndarray:
  """Returns the test rows that stand for an image, or for a group of them.

  Args:
    verdicts: of the test images.
    place: of the image or group.

  Returns:
    int [1] or, of a larger group, int [4], spread over it.
  """
  (rows,) = np.nonzero(verdicts.group == place)
  if len(rows) < _OF_A_GROUP:
    return rows[:1]
  return rows[np.rint(np.linspace(0, len(rows) - 1, _OF_A_GROUP)).astype(int)]


def mosaic(images: list[np.ndarray]) -> np.ndarray:
  """Returns one image, or four side by side in half the size.

  Args:
    images: uint8 [S, S, 3], one or four.

  Returns:
    uint8 [s, s, 3], as `thumbnail` returns one of them.
  """
  if len(images) == 1:
    return thumbnail(images[0])
  side = len(thumbnail(images[0]))
  whole = np.vstack([np.hstack(images[:2]), np.hstack(images[2:])])
  return cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA)


def thumbnail(image: np.ndarray) -> np.ndarray:
  """Returns an image that is not larger than `SIDE`, uint8 [s, s, 3].

  Args:
    image: uint8 [S, S, 3].
  """
  if len(image) <= SIDE:
    return image
  return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def spectrum_rows(verdicts: Verdicts, output: int) -> np.ndarray:
  """Returns the test rows whose spectra stand for an output, at most 64.

  They are spread over the images that got it.

  Args:
    verdicts: of the test images.
    output: the output.
  """
  got = verdicts.output[verdicts.group] == output
  (rows,) = np.nonzero(got)
  taken = np.linspace(0, len(rows) - 1, min(len(rows), _OF_A_SPECTRUM))
  return rows[np.unique(np.rint(taken).astype(int))]


def mean_spectrum(images: list[np.ndarray]) -> np.ndarray:
  """Returns the mean logarithmic spectrum of residuals, float32 [W, W].

  Frequency 0 is in the middle. Channels are averaged.

  Args:
    images: uint8 [S, S, 3] each; at least one.
  """
  half = np.mean(
    [log_spectrum(image_residual(image), WINDOW, 1) for image in images],
    axis=(0, 3),
  )
  side = len(half)
  whole = np.zeros((side, side), np.float32)
  whole[:, : side // 2] = half
  # The spectrum of a real image is the same at opposite frequencies.
  opposite = -np.arange(side) % side
  whole[:, side // 2 + 1 :] = half[opposite][:, :0:-1]
  whole[:, side // 2] = whole[:, side // 2 - 1]
  return np.fft.fftshift(whole)


def nearest_known(gallery: Gallery, num_known: int) -> dict[int, int]:
  """Returns the known class whose spectrum each output's is most like.

  Args:
    gallery: the spectra.
    num_known: the number of known classes.

  Returns:
    By output, another output that is a known class: the one of the highest
    correlation. Outputs have none if no other known class got an image.
  """
  flat = gallery.spectrum.reshape(len(gallery.output), -1)
  flat = flat - flat.mean(1, keepdims=True)
  flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
  likeness = flat @ flat.T
  found = {}
  for place, output in enumerate(gallery.output):
    others = (gallery.output < num_known) & (gallery.output != output)
    if others.any():
      best = np.where(others, likeness[place], -np.inf).argmax()
      found[int(output)] = int(gallery.output[best])
  return found
