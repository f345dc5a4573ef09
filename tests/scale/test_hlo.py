"""The counts of compiled programs, on programs whose counts are known."""

import jax
import jax.numpy as jnp
import pytest

from owdfa_jax import parallel
from owdfa_jax.scale import hlo

ROWS, COLUMNS, HOPS = 4, 16, 7
# As the compiler for TPUs writes them.
TPU = """\
HloModule jit_step, is_scheduled=true

%fused_computation (param_0: f32[4,16], param_1: f32[4,16]) -> f32[4,4] {
  %param_0 = f32[4,16]{1,0:T(4,128)} parameter(0)
  %param_1 = f32[4,16]{1,0:T(4,128)} parameter(1)
  ROOT %conv.1 = f32[4,4]{1,0:T(4,128)} convolution(%param_0, %param_1), \
dim_labels=bf_oi->bf, operand_precision={highest,highest}
}

%body (arg: (s32[], f32[4,16])) -> (s32[], f32[4,16]) {
  %arg = (s32[]{:T(128)}, f32[4,16]{1,0:T(4,128)}) parameter(0)
  %rows = f32[4,16]{1,0:T(4,128)} get-tuple-element(%arg), index=1
  %cp-start = (f32[4,16]{1,0:T(4,128)}, f32[4,16]{1,0:T(4,128)}, \
u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%rows), channel_id=1
  %product = f32[4,4]{1,0:T(4,128)} fusion(%rows, %rows), kind=kOutput, \
calls=%fused_computation
  %cp-done = f32[4,16]{1,0:T(4,128)} collective-permute-done(%cp-start)
  ROOT %out = (s32[]{:T(128)}, f32[4,16]{1,0:T(4,128)}) tuple(%i, %cp-done)
}

%condition (arg.1: (s32[], f32[4,16])) -> pred[] {
  %n = s32[]{:T(128)} constant(7)
  ROOT %less = pred[]{:T(512)} compare(%i.1, %n), direction=LT
}

ENTRY %main (p: f32[4,16]) -> f32[32,16] {
  %p = f32[4,16]{1,0:T(4,128)} parameter(0)
  %while.1 = (s32[]{:T(128)}, f32[4,16]{1,0:T(4,128)}) while(%start), \
condition=%condition, body=%body, backend_config={"other":{}}
  %ag-start = (f32[4,16]{1,0:T(4,128)}, f32[32,16]{1,0:T(8,128)}) \
all-gather-start(%p), dimensions={0}
  ROOT %ag-done = f32[32,16]{1,0:T(8,128)} all-gather-done(%ag-start)
  %sum = (bf16[8]{0}, f32[2]{0}) all-reduce(%a, %b), to_apply=%add
}
"""


def test_program_of_a_tpu():
  program, entry = hlo.parse_program(TPU)
  assert entry == 'main'
  assert hlo.sent(program, entry) == {
    'all-gather': 4 * 32 * COLUMNS,
    'all-reduce': 2 * 8 + 4 * 2,
    'reduce-scatter': 0,
    'all-to-all': 0,
    'collective-permute': HOPS * 4 * ROWS * COLUMNS,
  }
  flops = 2 * ROWS * ROWS * COLUMNS
  assert hlo.repeated_flops(program, entry) == (HOPS - 1) * flops
  # The product reads its rows twice; the permutation has three arrays.
  moved = 4 * (2 * ROWS * COLUMNS + ROWS * ROWS + 3 * ROWS * COLUMNS) + 2 * 4
  assert hlo.repeated_bytes(program, entry) == (HOPS - 1) * moved


# As the compiler for TPUs writes nine products of 128 x 16 and 16 x 32, and a
# convolution of 3 x 3 with padding.
BATCHED = """\
%body (arg: (s32[], f32[9,128,16])) -> (s32[], f32[9,128,16]) {
  %a = f32[9,128,16]{2,1,0} parameter(0)
  %b = f32[9,32,16]{2,1,0} parameter(1)
  %c = f32[9,128,32]{2,1,0} convolution(%a, %b), \
window={size=9 stride=8 lhs_dilate=9}, dim_labels=0bf_0oi->0bf
  %x = f32[2,8,8,4]{2,1,0} parameter(2)
  %w = f32[3,3,4,6]{2,1,0} parameter(3)
  %y = f32[2,8,8,6]{2,1,0} convolution(%x, %w), \
window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
}

ENTRY %main (p: f32[]) -> f32[] {
  ROOT %while.1 = (s32[]{:T(128)}, f32[9,128,16]) while(%start), \
body=%body, backend_config={"known_trip_count":{"n":"2"}}
}
"""


def test_zeros_between_and_around_take_nothing():
  program, entry = hlo.parse_program(BATCHED)
  products = 2 * 9 * 128 * 32 * 16
  # Of three rows of the kernel, those at a border meet two.
  convolution = 2 * 2 * 6 * 4 * (3 * 8 - 2) ** 2
  assert hlo.repeated_flops(program, entry) == products + convolution


# Calls of libraries, as the compiler for GPUs writes them: a convolution
# of 3 x 3 with stride 2, its two gradients, and a product.
GPU = """\
HloModule jit_step, is_scheduled=true

ENTRY %main (x: bf16[2,8,8,4], w: bf16[6,3,3,4], g: bf16[2,4,4,6]) -> f32[] {
  %x = bf16[2,8,8,4]{3,2,1,0} parameter(0)
  %w = bf16[6,3,3,4]{3,2,1,0} parameter(1)
  %g = bf16[2,4,4,6]{3,2,1,0} parameter(2)
  %conv = (bf16[2,4,4,6]{3,2,1,0}, u8[64]{0}) custom-call(%x, %w), \
window={size=3x3 stride=2x2}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convForward"
  %to_x = (bf16[2,8,8,4]{3,2,1,0}, u8[0]{0}) custom-call(%g, %w), \
window={size=3x3 stride=2x2}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convBackwardInput"
  %to_w = (bf16[6,3,3,4]{3,2,1,0}, u8[0]{0}) custom-call(%x, %g), \
window={size=3x3 stride=2x2}, dim_labels=b01f_o01i->b01f, \
custom_call_target="__cudnn$convBackwardFilter"
  %a = bf16[8,32]{1,0} bitcast(%x)
  %b = bf16[32,8]{1,0} bitcast(%x)
  %gemm = (bf16[8,8]{1,0}, s8[33554432]{0}) custom-call(%a, %b), \
custom_call_target="__cublas$lt$matmul", \
backend_config={"gemm_backend_config":{"dot_dimension_numbers":\
{"lhs_contracting_dimensions":["1"],"rhs_contracting_dimensions":["0"]}}}
  ROOT %other = f32[] custom-call(%gemm), custom_call_target="something"
}
"""


def test_calls_of_libraries_on_a_gpu():
  program, entry = hlo.parse_program(GPU)
  flops, moved = hlo.library_costs(program, entry)
  convolution = 2 * (2 * 4 * 4 * 6) * (3 * 3 * 4)
  assert flops == 3 * convolution + 2 * 8 * 8 * 32
  x, w, g = 2 * 8 * 8 * 4, 6 * 3 * 3 * 4, 2 * 4 * 4 * 6
  product = 8 * 32 * 2 + 8 * 8
  scratch = 64 + 33554432
  assert moved == 2 * (3 * (x + w + g) + product) + scratch


@pytest.mark.parametrize('hops', [1, HOPS])
def test_program_of_this_machine(hops):
  placement = parallel.make_placement()
  ring = [(i, (i + 1) % 8) for i in range(8)]

  def hop(_, carry):
    rows, total = carry
    total += jnp.matmul(rows, rows.T, precision='highest')
    return jax.lax.ppermute(rows, 'data', ring), total

  def local(rows):
    start = rows, jnp.zeros_like(rows[:, :1]) * rows[:, 0]
    rows, total = jax.lax.fori_loop(0, hops, hop, start)
    return rows, jax.lax.psum(total.sum(), 'data')

  split = jax.P('data')
  step = jax.shard_map(
    local, mesh=placement.mesh, in_specs=split, out_specs=(split, jax.P())
  )
  rows = jax.ShapeDtypeStruct(
    (8 * ROWS, COLUMNS), jnp.float32, sharding=placement.by_batch
  )
  compiled = jax.jit(step).lower(rows).compile()
  program, entry = hlo.parse_program(compiled.as_text())
  sent = hlo.sent(program, entry)
  assert sent['collective-permute'] == hops * 4 * ROWS * COLUMNS
  assert sent['all-reduce'] == 4 and sent['all-gather'] == 0
  flops = 2 * ROWS * ROWS * COLUMNS
  assert hlo.repeated_flops(program, entry) == (hops - 1) * flops
  assert (hlo.repeated_bytes(program, entry) > 0) == (hops > 1)
