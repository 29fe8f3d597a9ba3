// Kernels with faults that hang a card; the shim must report them.

// Half of the lanes take part in a shuffle that names all of them.
extern "C" __global__ void divergent_shuffle(float* values) {
  if (threadIdx.x % 32 < 16) values[threadIdx.x] = __shfl_xor_sync(0xffffffffu, values[threadIdx.x], 1);
}

// One warp waits at a barrier, the other in a shuffle that not all of its lanes reach.
extern "C" __global__ void divergent_barrier(float* values) {
  if (threadIdx.x != 40) values[threadIdx.x] = __shfl_xor_sync(0xffffffffu, values[threadIdx.x], 1);
  __syncthreads();
}

// A lane takes part in a shuffle whose mask does not name it.
extern "C" __global__ void unnamed_lane(float* values) {
  values[threadIdx.x] = __shfl_xor_sync(0x7fffffffu, values[threadIdx.x], 1);
}

// A sound kernel: every lane ends with the value of its neighbour.
extern "C" __global__ void exchange(float* values) {
  values[threadIdx.x] = __shfl_xor_sync(0xffffffffu, values[threadIdx.x], 1);
}

// The first thread writes behind the shared memory of the launch.
extern "C" __global__ void outside(float* values) {
  extern __shared__ float4 memory[];
  memory[1000].x = 1.f;
}
