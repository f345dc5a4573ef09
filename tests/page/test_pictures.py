"""Pictures: names on the map, and what a picture is inside a page."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from owdfa_jax.page.map_picture import free_place, label_anchor
from owdfa_jax.page.pictures import confusion_picture, shown_name
from owdfa_jax.page.svg import inline_svg, svg_file


def test_names_on_the_map_do_not_cover_each_other():
  taken = []
  places = [free_place((0.5, 0.5), 10, taken) for _ in range(5)]
  assert places[0] == (0.5, 0.5)
  heights = sorted(y for _, y in places)
  assert np.diff(heights) == pytest.approx(0.032)
  # Beside them there is room.
  assert free_place((0.8, 0.5), 10, taken) == (0.8, 0.5)


def test_a_name_stands_above_a_compact_group():
  members = np.array([[0.4, 0.5], [0.5, 0.52], [0.6, 0.51]])
  x, y = label_anchor(members)
  assert x == 0.5 and members[:, 1].max() < y < 0.6


@pytest.mark.parametrize(
  'name, shown',
  [
    ('StyleGAN', 'StyleGAN'),
    ('$x$', r'\$x\$'),
    ('a\u202eb', r'a\u202eb'),
    ('x' * 30, 'x' * 23 + '\N{HORIZONTAL ELLIPSIS}'),
  ],
)
def test_names_in_pictures_are_plain_and_short(name, shown):
  assert shown_name(name) == shown


def test_text_of_a_picture_is_no_markup():
  figure = confusion_picture(
    np.eye(2), ['<script>x</script>', 'b'], ['a', '"><b>'], 1, 1
  )
  text = inline_svg(svg_file(figure), 'p', 'a "quoted" <description>')
  assert '<script>' not in text and '&lt;script&gt;' in text
  assert 'aria-label="a &quot;quoted&quot; &lt;description&gt;"' in text
  assert '<b>' not in text


def test_the_same_picture_is_the_same_file():
  def draw():
    return svg_file(confusion_picture(np.eye(2), ['a', 'b'], ['a', 'b'], 1, 1))

  assert draw() == draw()


def test_ids_of_two_pictures_differ():
  svg = svg_file(Figure())
  first, second = (str(inline_svg(svg, name, '')) for name in 'ab')
  assert 'id="a-figure_1"' in first and 'id="b-figure_1"' in second
