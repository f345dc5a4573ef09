"""Pictures: names on the map, and what a picture is inside a page."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from owdfa_jax.page.map_labels import (
  covers,
  far_parts,
  free_place,
  label_anchor,
  label_width,
  nearest_of_core,
  reach_of,
)
from owdfa_jax.page.map_picture import map_picture
from owdfa_jax.page.pictures import confusion_picture, shown_name
from owdfa_jax.page.svg import inline_svg, svg_file

NO_POINTS = np.zeros((0, 2))


def test_names_on_the_map_do_not_cover_each_other():
  taken = []
  for number in range(12):
    width = 0.05 + 0.01 * number
    taken.append(free_place((0.5, 0.5), width, taken, NO_POINTS))
  assert taken[0] == (0.5, 0.5, 0.05)
  assert not any(covers(*pair) for pair in itertools.combinations(taken, 2))
  # The first ones are near, and nothing is moved without need.
  assert abs(taken[1][1] - 0.5) == pytest.approx(0.032)
  assert free_place((0.95, 0.5), 0.1, taken, NO_POINTS) == (0.95, 0.5, 0.1)


def test_a_name_goes_around_points():
  draws = np.random.default_rng(0)
  points = draws.normal(0.5, 0.02, (200, 2))
  x, y, width = free_place((0.5, 0.5), 0.2, [], points)
  apart = np.abs(points - (x, y))
  assert not ((apart[:, 0] < width / 2) & (apart[:, 1] < 0.016)).any()
  # A few points are hidden rather than to go far.
  assert free_place((0.5, 0.5), 0.2, [], points[:1]) != (0.5, 0.5, 0.2)
  wide = draws.uniform(0, 1, (30, 2))
  x, y, _ = free_place((0.5, 0.5), 0.1, [], wide)
  assert np.hypot(x - 0.5, y - 0.5) < 0.1


def test_a_name_stays_on_the_map():
  x, y, _ = free_place((0.99, 1.3), 0.4, [], NO_POINTS)
  assert x + 0.2 == pytest.approx(1.06) and y == pytest.approx(1.06)


def test_width_of_a_name():
  assert label_width('i') < label_width('W') < label_width('WW') < 0.1


def test_a_name_stands_above_a_compact_group():
  members = np.array([[0.4, 0.5], [0.5, 0.52], [0.6, 0.51]])
  x, y = label_anchor(members)
  assert x == 0.5 and members[:, 1].max() < y < 0.6


def blob(middle, size, spread=0.02):
  draws = np.random.default_rng(size)
  return draws.normal(middle, spread, (size, 2))


def test_each_far_part_of_a_group_has_its_name():
  left, right, middle = blob((0.1, 0.1), 40), blob((0.9, 0.8), 30), (0.5, 0.5)
  # Single points elsewhere, and a part next to another one, get none.
  members = [left, blob((0.26, 0.1), 20, 0.005), right, [middle]]
  found = far_parts(np.concatenate(members), reach_of(400))
  assert [len(x) for x in found] == [40, 30]
  assert np.median(found[1], axis=0) == pytest.approx((0.9, 0.8), abs=0.02)


def test_a_scattered_group_has_its_name_once():
  members = np.random.default_rng(0).uniform(0, 1, (30, 2))
  assert [len(x) for x in far_parts(members, reach_of(1500))] == [30]
  assert len(far_parts(members[:1], reach_of(1))) == 1


def test_a_line_goes_to_the_inner_half_of_a_group():
  members = np.array([[0.0, 0], [0.1, 0], [-0.1, 0], [0, 3], [5, 0]])
  np.testing.assert_array_equal(
    nearest_of_core(members, np.array([4.0, 0])), [0.1, 0]
  )


def test_clusters_of_one_name_are_both_named_on_the_map():
  place = np.concatenate([blob((x, x), 20) for x in (0, 1, 2)])
  names = ['merged'] * 20 + ['a'] * 20 + ['merged'] * 20
  drawn = map_picture(place, names, frozenset('a'), 'a title')
  (axes,) = drawn.axes
  assert sorted(x.get_text() for x in axes.texts) == ['a', 'merged', 'merged']


def test_both_maps_have_the_same_scale():
  # The names of what lies at the top go above it.
  place = np.concatenate([blob((0.5, 1), 40, 0.01), [[0, 0], [1, 0]]])
  names = [f'a long name {n % 20}' for n in range(42)]
  maps = [map_picture(place, x, frozenset(), '') for x in (names, ['a'] * 42)]
  limits = [(x.axes[0].get_xlim(), x.axes[0].get_ylim()) for x in maps]
  lines = maps[0].axes[0].lines
  assert max(line.get_ydata()[0] for line in lines) > place[:, 1].max()
  assert limits[0] == limits[1]


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
