"""How many floating-point operations a second chips are sold with."""

# Tflop/s of one device of JAX in bfloat16, without sparsity, from the makers'
# data sheets, by JAX's name of its kind.
PEAKS = {
  'NVIDIA A100-SXM4-40GB': 312,
  'NVIDIA A100-SXM4-80GB': 312,
  'NVIDIA A100 80GB PCIe': 312,
  'NVIDIA H100 80GB HBM3': 989,
  'NVIDIA H100 PCIe': 756,
  'NVIDIA H200': 989,
  'NVIDIA L4': 121,
  'TPU v4': 275,
  'TPU v5': 459,
  'TPU v5 lite': 197,
  'TPU v6 lite': 918,
}
