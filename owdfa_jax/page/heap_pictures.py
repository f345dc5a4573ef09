"""Small pictures of the heap's images that a page shows, kept in the run.

They are read from the files once, and kept in `heap-STEP.npz`, so that the page
can be drawn anew where the files are not at hand.
"""

import dataclasses

import cv2
import numpy as np
from etils import epath

from input_pipeline.errors import UserError
from input_pipeline.images import load_image
from owdfa_jax.evaluation.checkpoint_arrays import CheckpointArrays
from owdfa_jax.page.galleries import SIDE, chosen_of_clusters
from owdfa_jax.page.heap_answers import HeapAnswers
from owdfa_jax.page.run_files import RunFiles

# On a page of less than 10 MB, beside those of the test images.
_MOST_IMAGES = 400
HEAP = CheckpointArrays('heap', ('place', 'image', 'digest'))


def chosen_of_heap(heap: HeapAnswers) -> dict[int, tuple[list[int], list[int]]]:
  """Returns which images of the heap a page shows of each name.

  Args:
    heap: the answers.

  Returns:
    By the first output of the name, places among the images: the most typical
    and the most doubtful ones, see `galleries.chosen_of_clusters`.
  """
  by_name = dataclasses.replace(heap, output=heap.called)
  return chosen_of_clusters(by_name, most_images=_MOST_IMAGES)


def heap_pictures(run: RunFiles, step: int) -> dict[int, np.ndarray]:
  """Returns the pictures of the chosen images, uint8 [s, s, 3], by place.

  An image that cannot be read any more has none.

  Args:
    run: the files of a run with a heap.
    step: the step of its checkpoint.

  Raises:
    UserError: the kept file is damaged or cannot be written.
  """
  assert run.heap is not None
  # With other names, other images are shown.
  chosen = chosen_of_heap(run.heap).values()
  wanted = sorted({x for kinds in chosen for kind in kinds for x in kind})
  folder, digest = epath.Path(run.workdir), run.heap.digest
  kept = HEAP.read(folder, step)
  found: dict[int, np.ndarray] = {}
  if kept is not None and str(kept['digest']) == digest:
    found = dict(zip(kept['place'].tolist(), kept['image'], strict=True))
  missing = [place for place in wanted if place not in found]
  for place in missing:
    picture = _picture(run.heap.image[place])
    if picture is not None:
      found[place] = picture
  if found and any(place in found for place in missing):
    HEAP.write(
      folder,
      step,
      {
        'place': np.array([*found]),
        'image': np.stack([*found.values()]),
        'digest': np.array(digest),
      },
    )
  return {place: found[place] for place in wanted if place in found}


def _picture(path: str) -> np.ndarray | None:
  """Returns an image as a square of `SIDE`, as packing would squeeze it."""
  try:
    image = load_image(path)
  except UserError:
    return None
  smaller = min(image.shape[:2]) > SIDE
  how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
  return cv2.resize(image, (SIDE, SIDE), interpolation=how)
