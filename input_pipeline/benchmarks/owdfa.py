"""OW-DFA Protocols 1 and 2, and OW-DFA++ Protocols 3 and 4."""

from collections.abc import Sequence

from input_pipeline.benchmarks.listing import Listing
from input_pipeline.benchmarks.select import Pick, draw, tag
from input_pipeline.benchmarks.tables import ForgeryClass

# As the released files are called; `--size=large` adds `large_`.
NAMES = {
  1: 'Protocol1_openset_fake_{}meta.csv',
  2: 'Protocol2_openset_real_fake_{}meta.csv',
  3: 'Protocol3_openset_fake_aigc_{}meta.csv',
  4: 'Protocol4_openset_real_fake_aigc_{}meta.csv',
}


def select(
  listings: Sequence[Listing],
  classes: Sequence[ForgeryClass],
  factor: float,
  seed: int,
) -> list[Pick]:
  """Images and tags of Protocol 2 or 4; the other two leave out real faces.

  Args:
    listings: of `sources.list_classes`.
    classes: of the protocol with real faces.
    factor: multiplies the table's counts.
    seed: of every draw.
  """
  drawn = draw(listings, factor, seed)
  images = {}
  for listing in listings:
    if listing.entry in classes and listing.image is not None:
      images[listing.entry] = [
        listing.image(name) for name in drawn[listing.entry]
      ]
  return tag(images, factor, seed)


def file_name(protocol: int, size: str) -> str:
  """The CSV of a protocol, such as Protocol1_openset_fake_meta.csv."""
  return NAMES[protocol].format('' if size == 'benchmark' else f'{size}_')
