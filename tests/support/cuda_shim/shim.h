// The part of CUDA that slit.cu uses, for the CPU: included before the source by g++.
//
// The threads of a block are fibers in one OS thread. A fiber runs until it reaches a barrier or a shuffle, and waits there
// for all threads of the block, or for all lanes that the mask of the shuffle names. If they cannot all arrive, the launch
// ends with a message: on a card it would hang, or give wrong numbers.
#pragma once
#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __device__
#define __forceinline__ inline
#define __global__
#define __shared__
#define __launch_bounds__(...)

struct float4 { float x, y, z, w; };
struct Index { unsigned int x; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace shim {
extern Index thread, block, threads, blocks;
int barrier(int predicate);
float exchange(unsigned int mask, float value, int lane);
}
#define threadIdx (shim::thread)
#define blockIdx (shim::block)
#define blockDim (shim::threads)
#define gridDim (shim::blocks)

inline void __syncthreads() { shim::barrier(0); }
inline int __syncthreads_or(int predicate) { return shim::barrier(predicate); }
inline float __shfl_xor_sync(unsigned int mask, float value, int lane_mask) {
  return shim::exchange(mask, value, (shim::thread.x % 32) ^ lane_mask);
}

inline unsigned long long atomicAdd(unsigned long long* sum, unsigned long long value) {
  const unsigned long long old = *sum;
  *sum += value;
  return old;
}
inline int atomicMin(int* least, int value) {
  const int old = *least;
  if (value < old) *least = value;
  return old;
}

inline float rsqrtf(float x) { return 1.f / std::sqrt(x); }
inline void sincospif(float x, float* sine, float* cosine) {
  *sine = (float)std::sin(M_PI * x);
  *cosine = (float)std::cos(M_PI * x);
}
inline long long __float2ll_rn(float x) { return std::llrintf(x); }
inline unsigned int __umulhi(unsigned int a, unsigned int b) { return (unsigned int)(((std::uint64_t)a * b) >> 32); }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
using std::isfinite;
