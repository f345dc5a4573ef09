"""Descriptions of GPUs, which the compiler takes in place of a GPU.

The figures are those that NVIDIA publishes of the SXM boards with 80 GB, and
that the driver reports there; XLA has the same in
`xla/backends/gpu/target_config/specs`.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Gpu:
  """One kind of GPU.

  Attributes:
    name: as the driver reports it.
    major: of the compute capability; the minor number is 0.
    cores: streaming multiprocessors.
    units_per_core: float32 units of each.
    shared_per_core: bytes of shared memory of a multiprocessor.
    shared_per_block: bytes that one block may ask for.
    cache: bytes of the second-level cache.
    memory: bytes of memory.
    bandwidth: of the memory, bytes a second.
    clock: GHz.
  """

  name: str
  major: int
  cores: int
  units_per_core: int
  shared_per_core: int
  shared_per_block: int
  cache: int
  memory: int
  bandwidth: int
  clock: float

  def target_config(self) -> str:
    """Returns a `GpuTargetConfigProto` of XLA as text."""
    return f"""
gpu_device_info {{
  cuda_compute_capability {{ major: {self.major} }}
  core_count: {self.cores}
  fpus_per_core: {self.units_per_core}
  clock_rate_ghz: {self.clock}
  device_memory_size: {self.memory}
  memory_bandwidth: {self.bandwidth}
  l2_cache_size: {self.cache}
  shared_memory_per_core: {self.shared_per_core}
  shared_memory_per_block_optin: {self.shared_per_block}
  shared_memory_per_block: 49152
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  threads_per_core_limit: 2048
  threads_per_block_limit: 1024
  threads_per_warp: 32
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 }}
runtime_version {{ major: 12 minor: 8 }}
device_description_str: "{self.name}"
"""


# By the names that --topology takes.
GPUS = {
  'a100': Gpu(
    name='NVIDIA A100-SXM4-80GB',
    major=8,
    cores=108,
    units_per_core=64,
    shared_per_core=164 * 1024,
    shared_per_block=163 * 1024,
    cache=40 * 2**20,
    memory=85_100_068_864,
    bandwidth=2_039_040_000_000,
    clock=1.41,
  ),
  'h100': Gpu(
    name='NVIDIA H100 80GB HBM3',
    major=9,
    cores=132,
    units_per_core=128,
    shared_per_core=228 * 1024,
    shared_per_block=227 * 1024,
    cache=50 * 2**20,
    memory=84_942_979_072,
    bandwidth=3_352_320_000_000,
    clock=1.98,
  ),
}
# GPUs that one machine has, joined by NVLink.
PER_MACHINE = 8
