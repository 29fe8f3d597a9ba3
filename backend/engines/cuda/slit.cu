// Molecular dynamics of ions in a slit: one thread block simulates one replica.
//
// The physics is that of the Numba engine (backend/engines/numba), whose functions have the same names: all-pairs Coulomb
// forces as a short-ranged part and plane waves, WCA contacts of ions and walls from a neighbour list, Langevin BAOAB with
// multiple time steps, force-sampled profiles.
//
// Units: the side L of the box, k_BT, and the mass of an ion. Forces are thus in k_BT/L, velocities in sqrt(k_BT/m), times
// in L sqrt(m/k_BT). x and y are periodic with period 1. Positive ions come first, then negative ions.
//
// Thread t owns the ions t, t + T, t + 2T, ... of a block of T threads. Every warp function is called by all lanes: a
// __shfl_sync or __syncwarp in a branch that not all lanes take would hang the card. All sums that several threads add to
// are 64-bit integers in fixed point, because the order of floating-point atomics, and with it their result, varies.

// --- Compile-time constants -------------------------------------------------------------------------------------------

// The host defines IONS_PER_THREAD, MOST_THREADS (per block) and BLOCKS_PER_PROCESSOR, which limits the registers.
#ifndef IONS_PER_THREAD
#define IONS_PER_THREAD 2
#endif
#ifndef MOST_THREADS
#define MOST_THREADS 256
#endif
#ifndef BLOCKS_PER_PROCESSOR
#define BLOCKS_PER_PROCESSOR 1
#endif

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

constexpr int K = IONS_PER_THREAD;
constexpr int BINS = 300;                // bins of a profile over the slit
constexpr int SERIES = 8;                // columns of the time series; the last is unused
constexpr int NEIGHBOURS = 64;           // longest neighbour list of an ion
constexpr int LATERAL_WAVES = 5;         // largest a^2 + b^2 of a wave
constexpr int LATERAL = 5;               // functions of x or y: 1, cos, sin, cos 2*, sin 2*
constexpr int NORMAL = 9;                // functions of z: 1, cos, sin, ... cos 4*, sin 4*
constexpr int PRODUCTS = 21;             // products of a function of x and one of y with a^2 + b^2 <= LATERAL_WAVES
constexpr int WAVES = PRODUCTS * NORMAL; // products of three functions
constexpr int STATE = 12;                // numbers of an ion: position, velocity, contact force, Coulomb force
constexpr int WARP = 32;
constexpr u32 ALL_LANES = 0xffffffffu;
constexpr float TWO_PI = 6.2831853f;
constexpr float WCA_RANGE2 = 1.25992105f; // squared range of the WCA potential in units of sigma: 2^(1/3)
constexpr float GHOST_Z = 0.49f;          // place of the uncharged ghosts that pad the ions, outside the slit
constexpr float SMALLEST_R2 = 1e-12f;     // keeps an ion's self-term finite; it is then multiplied by zero
constexpr float FIXED_POINT = 1048576.f;  // units of the sums in fixed point: 2^-20

enum Status { NOT_FINITE = 1, THROUGH_WALL = 2, TOO_MANY_PAIRS = 3 };

// Constants of a replica. The host fills them in: `SLIT` in slit.py has the same fields.
struct Slit {
  int positive_count, count; // ions; a block without ions returns at once
  u32 seed[2];               // key of the noise: low and high word of the seed
  u32 replica;               // index of the replica
  float time_step;
  float memory;              // factor by which the thermostat damps velocities; 1 without a thermostat
  float coulomb_scale;       // Bjerrum length
  float pair_size[3];        // WCA sigma of two positive ions, of unlike ions, of two negative ions
  float wall_size[2];        // WCA sigma of each species with a wall ...
  float wall_position[2];    // ... and |z| of the plane from which it is measured
  float valency[2];
  float short_terms[5];      // coefficients of Q: the short-ranged force is (1/r^3 - Q(r^2)) times the displacement
  float short_range2;        // its squared range
  float inverse_height;      // 1/H, where H is the period of the waves along z
  float skin;                // margin of the neighbour list
  float half_width;          // half the width of the slit
  float middle, contact;     // limits of |z| for the series of the same names
  float mobility;            // move per force while overlaps are removed ...
  float largest_move;        // ... and its limit
  float weights[WAVES];      // coefficient of each wave
};

struct Vector { float x, y, z; };

// Ions of a thread. Loops over k are unrolled, so that all of this is in registers.
struct Ions {
  Vector velocity[K], contact[K], coulomb[K];
  Vector listed[K]; // positions at which the neighbour list was built
  int neighbours[K];
};

// Functions of the position of an ion, whose products are the waves.
struct Functions { float x[LATERAL], y[LATERAL], z[NORMAL]; };

// Data of a block in shared memory.
struct Shared {
  float4* position; // x, y, z and valency of all ions and ghosts
  float* sums;      // weighted sum of each wave over all ions
  float* scratch;   // sums of each warp
};

__device__ __forceinline__ Shared shared_memory() {
  extern __shared__ float4 memory[];
  Shared shared;
  shared.position = memory;
  shared.sums = (float*)(memory + K * blockDim.x);
  shared.scratch = shared.sums + WAVES + 3; // padded to a multiple of float4
  return shared;
}

__device__ __forceinline__ int ion(int k) { return threadIdx.x + k * blockDim.x; }

__device__ __forceinline__ float wrapped(float x) { return x - rintf(x); }

__device__ __forceinline__ Vector nearest_image(float ax, float ay, float az, float4 b) {
  return {wrapped(ax - b.x), wrapped(ay - b.y), az - b.z};
}

__device__ __forceinline__ float squared(Vector v) { return fmaf(v.x, v.x, fmaf(v.y, v.y, v.z * v.z)); }

__device__ __forceinline__ void add(Vector& sum, float factor, Vector v) {
  sum.x = fmaf(factor, v.x, sum.x);
  sum.y = fmaf(factor, v.y, sum.y);
  sum.z = fmaf(factor, v.z, sum.z);
}

__device__ __forceinline__ void add_fixed(i64* sum, float value) {
  atomicAdd((u64*)sum, (u64)__float2ll_rn(value * FIXED_POINT));
}

// Report the earliest problem of a replica: its sample, counted from the start of the launch, and its kind.
__device__ __forceinline__ void report(int* status, int sample, int problem) { atomicMin(status, 4 * sample + problem); }

// --- Sums over a warp -------------------------------------------------------------------------------------------------

// Sum eight values over the lanes of a warp; lane l returns the sum of value l % 8. Lanes exchange halves of what remains
// to be summed, so this takes 9 shuffles, not 40.
__device__ __forceinline__ float sum_eight(float (&value)[8]) {
  const int lane = threadIdx.x % WARP;
#pragma unroll
  for (int half = 4; half > 0; half /= 2) {
    const bool upper = lane & half;
#pragma unroll
    for (int i = 0; i < half; i++) {
      const float kept = upper ? value[i + half] : value[i], given = upper ? value[i] : value[i + half];
      value[i] = kept + __shfl_xor_sync(ALL_LANES, given, half);
    }
  }
  float sum = value[0];
  sum += __shfl_xor_sync(ALL_LANES, sum, 8);
  sum += __shfl_xor_sync(ALL_LANES, sum, 16);
  return sum;
}

// --- Noise ------------------------------------------------------------------------------------------------------------

// Philox4x32-10: J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
__device__ __forceinline__ void philox(u32 (&counter)[4], u32 key0, u32 key1) {
#pragma unroll
  for (int round = 0; round < 10; round++) {
    const u32 high0 = __umulhi(0xD2511F53u, counter[0]), low0 = 0xD2511F53u * counter[0];
    const u32 high1 = __umulhi(0xCD9E8D57u, counter[2]), low1 = 0xCD9E8D57u * counter[2];
    counter[0] = high1 ^ counter[1] ^ key0;
    counter[1] = low1;
    counter[2] = high0 ^ counter[3] ^ key1;
    counter[3] = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

// Three uncorrelated numbers of mean 0 and variance 1, nearly Gaussian: sums and differences of four uniform numbers, as in
// `next_normals` of the Numba engine. They depend on the seed, the replica, the interval and the ion, and on nothing else.
__device__ __forceinline__ Vector normals(const Slit& slit, u64 interval, int i) {
  u32 word[4] = {(u32)i, slit.replica, (u32)interval, (u32)(interval >> 32)};
  philox(word, slit.seed[0], slit.seed[1]);
  const float inverse_deviation = 1.7320508f / 4294967296.f; // sqrt(3) for uniform numbers between 0 and 1
  const float a = (float)word[0], b = (float)word[1], c = (float)word[2], d = (float)word[3];
  return {inverse_deviation * ((a - c) + (b - d)), inverse_deviation * ((a - b) + (c - d)),
          inverse_deviation * ((a - b) - (c - d))};
}

// --- Contact forces ---------------------------------------------------------------------------------------------------

// -U'(r)/r of the WCA potential with epsilon = k_BT.
__device__ __forceinline__ float wca_force_over_r(float r2, float size2) {
  const float s2 = size2 / r2, s6 = s2 * s2 * s2;
  return s6 > 0.5f ? 24.f * s6 * (2.f * s6 - 1.f) / r2 : 0.f;
}

__device__ __forceinline__ float wca_energy(float r2, float size2) {
  const float s2 = size2 / r2, s6 = s2 * s2 * s2;
  return s6 > 0.5f ? 4.f * (s6 * s6 - s6) + 1.f : 0.f;
}

// z force of a wall at a signed distance.
__device__ __forceinline__ float wall_force(float distance, float size) {
  return distance * wca_force_over_r(distance * distance, size * size);
}

// List the neighbours of every ion in ascending order. The forces are then summed in the same order whenever the list is
// built, and do not depend on when that was.
__device__ __forceinline__ void build_list(const Slit& slit, const Shared& shared, Ions& ions, unsigned short* list, int sample,
                                           int* status) {
  float reach2[3];
#pragma unroll
  for (int s = 0; s < 3; s++) {
    const float reach = sqrtf(WCA_RANGE2) * slit.pair_size[s] + slit.skin;
    reach2[s] = reach * reach;
  }
#pragma unroll
  for (int k = 0; k < K; k++) {
    const float4 a = shared.position[ion(k)];
    ions.listed[k] = {a.x, a.y, a.z};
    ions.neighbours[k] = 0;
  }
  for (int j = 0; j < slit.count; j++) {
    const float4 b = shared.position[j];
#pragma unroll
    for (int k = 0; k < K; k++) {
      const int i = ion(k), kind = (i >= slit.positive_count) + (j >= slit.positive_count);
      const Vector d = nearest_image(ions.listed[k].x, ions.listed[k].y, ions.listed[k].z, b);
      if (i < slit.count && i != j && squared(d) < reach2[kind]) {
        if (ions.neighbours[k] < NEIGHBOURS) list[ions.neighbours[k]++ * K * blockDim.x + i] = (unsigned short)j;
        else report(status, sample, TOO_MANY_PAIRS);
      }
    }
  }
}

__device__ __forceinline__ void contact_forces(const Slit& slit, const Shared& shared, Ions& ions, const unsigned short* list) {
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k), species = i >= slit.positive_count;
    Vector force = {0.f, 0.f, 0.f};
    if (i < slit.count) {
      const float4 a = shared.position[i];
      force.z = wall_force(a.z + slit.wall_position[species], slit.wall_size[species]) +
                wall_force(a.z - slit.wall_position[species], slit.wall_size[species]);
      for (int m = 0; m < ions.neighbours[k]; m++) {
        const int j = list[m * K * blockDim.x + i];
        const float size = slit.pair_size[species + (j >= slit.positive_count)];
        const Vector d = nearest_image(a.x, a.y, a.z, shared.position[j]);
        add(force, wca_force_over_r(squared(d), size * size), d);
      }
    }
    ions.contact[k] = force;
  }
}

// --- Coulomb forces ---------------------------------------------------------------------------------------------------

// Add the short-ranged field of the nearest images of all ions to `field`.
__device__ __forceinline__ void pair_forces(const Slit& slit, const Shared& shared, Vector (&field)[K]) {
  const float c0 = slit.short_terms[0], c1 = slit.short_terms[1], c2 = slit.short_terms[2], c3 = slit.short_terms[3],
              c4 = slit.short_terms[4], range2 = slit.short_range2;
  float4 a[K];
#pragma unroll
  for (int k = 0; k < K; k++) a[k] = shared.position[ion(k)];
  const int end = (slit.count + 3) & ~3; // ghosts fill the last group of four
#pragma unroll 4
  for (int j = 0; j < end; j++) {
    const float4 b = shared.position[j];
#pragma unroll
    for (int k = 0; k < K; k++) {
      const Vector d = nearest_image(a[k].x, a[k].y, a[k].z, b);
      const float r2 = fminf(squared(d) + SMALLEST_R2, range2), inverse = rsqrtf(r2);
      const float strength = inverse * inverse * inverse - (c0 + r2 * (c1 + r2 * (c2 + r2 * (c3 + r2 * c4))));
      add(field[k], strength * b.w, d);
    }
  }
}

__device__ __forceinline__ Functions wave_functions(const Slit& slit, float4 a) {
  Functions f;
  float c, s;
  sincospif(2.f * a.x, &s, &c);
  f.x[0] = 1.f, f.x[1] = c, f.x[2] = s, f.x[3] = c * c - s * s, f.x[4] = 2.f * s * c;
  sincospif(2.f * a.y, &s, &c);
  f.y[0] = 1.f, f.y[1] = c, f.y[2] = s, f.y[3] = c * c - s * s, f.y[4] = 2.f * s * c;
  sincospif(2.f * a.z * slit.inverse_height, &s, &c);
  f.z[0] = 1.f, f.z[1] = c, f.z[2] = s;
#pragma unroll
  for (int m = 3; m < NORMAL; m += 2) {
    f.z[m] = f.z[m - 2] * c - f.z[m - 1] * s;
    f.z[m + 1] = f.z[m - 1] * c + f.z[m - 2] * s;
  }
  return f;
}

__device__ __forceinline__ constexpr int order(int function) { return (function + 1) / 2; }

__device__ __forceinline__ constexpr bool has_waves(int a, int b) {
  return order(a) * order(a) + order(b) * order(b) <= LATERAL_WAVES;
}

// The function that is proportional to the derivative of function a.
__device__ __forceinline__ constexpr int partner(int a) { return a == 0 ? 0 : a % 2 ? a + 1 : a - 1; }

// The derivative of function a is this factor times its partner.
__device__ __forceinline__ constexpr float slope(int a) { return TWO_PI * order(a) * (a % 2 ? -1.f : 1.f); }

// Sum every wave over all ions, into shared memory, and weight it. The block is synchronised at the end.
__device__ __forceinline__ void wave_sums(const Slit& slit, const Shared& shared, const Functions (&f)[K]) {
  const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  float* mine = shared.scratch + warp * WAVES;
  float uniform[8]; // values of the waves that are uniform along z, of up to eight products
  int product = 0;
#pragma unroll
  for (int a = 0; a < LATERAL; a++) {
#pragma unroll
    for (int b = 0; b < LATERAL; b++) {
      if (!has_waves(a, b)) continue;
      float value[8] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
      uniform[product % 8] = 0.f;
#pragma unroll
      for (int k = 0; k < K; k++) {
        const float source = shared.position[ion(k)].w * f[k].x[a] * f[k].y[b];
        uniform[product % 8] += source;
#pragma unroll
        for (int m = 1; m < NORMAL; m++) value[m - 1] = fmaf(source, f[k].z[m], value[m - 1]);
      }
      const float sum = sum_eight(value);
      if (lane < 8) mine[product * NORMAL + 1 + lane] = sum;
      product++;
      if (product % 8 == 0 || product == PRODUCTS) {
        const int first = (product - 1) / 8 * 8, many = product - first;
#pragma unroll
        for (int i = many; i < 8; i++) uniform[i] = 0.f;
        const float total = sum_eight(uniform);
        if (lane < many) mine[(first + lane) * NORMAL] = total;
      }
    }
  }
  __syncthreads();
  for (int q = threadIdx.x; q < WAVES; q += blockDim.x) {
    float sum = 0.f;
    for (int w = 0; w < (int)blockDim.x / WARP; w++) sum += shared.scratch[w * WAVES + q];
    shared.sums[q] = slit.weights[q] * sum;
  }
  __syncthreads();
}

// Add the field of all waves to `field`, from their sums.
__device__ __forceinline__ void wave_forces(const Slit& slit, const Shared& shared, const Functions (&f)[K], Vector (&field)[K]) {
  const float normal = TWO_PI * slit.inverse_height;
  int product = 0;
#pragma unroll
  for (int a = 0; a < LATERAL; a++) {
#pragma unroll
    for (int b = 0; b < LATERAL; b++) {
      if (!has_waves(a, b)) continue;
      const float* sums = shared.sums + product * NORMAL;
      float value[K], derivative[K];
#pragma unroll
      for (int k = 0; k < K; k++) value[k] = sums[0], derivative[k] = 0.f;
#pragma unroll
      for (int m = 1; m < NORMAL; m += 2) {
        const float cosine = sums[m], sine = sums[m + 1], number = normal * order(m);
#pragma unroll
        for (int k = 0; k < K; k++) {
          value[k] += cosine * f[k].z[m] + sine * f[k].z[m + 1];
          derivative[k] += number * (sine * f[k].z[m] - cosine * f[k].z[m + 1]);
        }
      }
#pragma unroll
      for (int k = 0; k < K; k++) {
        field[k].x -= slope(a) * value[k] * f[k].x[partner(a)] * f[k].y[b];
        field[k].y -= slope(b) * value[k] * f[k].x[a] * f[k].y[partner(b)];
        field[k].z -= derivative[k] * f[k].x[a] * f[k].y[b];
      }
      product++;
    }
  }
}

// Coulomb forces on the ions of all threads. Every thread must call this.
__device__ __forceinline__ void coulomb_forces(const Slit& slit, const Shared& shared, Ions& ions) {
  Vector field[K];
#pragma unroll
  for (int k = 0; k < K; k++) field[k] = {0.f, 0.f, 0.f};
  pair_forces(slit, shared, field);
  Functions f[K];
#pragma unroll
  for (int k = 0; k < K; k++) f[k] = wave_functions(slit, shared.position[ion(k)]);
  wave_sums(slit, shared, f);
  wave_forces(slit, shared, f, field);
#pragma unroll
  for (int k = 0; k < K; k++) {
    const float scale = slit.coulomb_scale * shared.position[ion(k)].w;
    ions.coulomb[k] = {scale * field[k].x, scale * field[k].y, scale * field[k].z};
  }
}

// --- Potential energy -------------------------------------------------------------------------------------------------

// Antiderivative of -(1/r^3 - Q(r^2)) r.
__device__ __forceinline__ float short_antiderivative(const Slit& slit, float r2) {
  const float* c = slit.short_terms;
  const float high = c[2] / 6.f + r2 * (c[3] / 8.f + r2 * c[4] / 10.f);
  return rsqrtf(r2) + r2 * (c[0] / 2.f + r2 * (c[1] / 4.f + r2 * high));
}

// Reduced Coulomb potential at an ion due to the waves of all ions, itself included.
__device__ __forceinline__ float wave_potential(const Shared& shared, const Functions& f) {
  float potential = 0.f;
  int product = 0;
#pragma unroll
  for (int a = 0; a < LATERAL; a++) {
#pragma unroll
    for (int b = 0; b < LATERAL; b++) {
      if (!has_waves(a, b)) continue;
      float value = 0.f;
#pragma unroll
      for (int m = 0; m < NORMAL; m++) value += shared.sums[product * NORMAL + m] * f.z[m];
      potential += f.x[a] * f.y[b] * value;
      product++;
    }
  }
  return potential;
}

// Add the potential energy to a sum in fixed point. `shared.sums` must be up to date. An ion's waves include those of
// itself, whose constant energy the host subtracts.
__device__ __forceinline__ void add_potential_energy(const Slit& slit, const Shared& shared, i64* energy) {
  const float end = short_antiderivative(slit, slit.short_range2);
  for (int k = 0; k < K; k++) {
    const int i = ion(k), species = i >= slit.positive_count;
    if (i >= slit.count) continue;
    const float4 a = shared.position[i];
    const float left = a.z + slit.wall_position[species], right = a.z - slit.wall_position[species];
    const float size = slit.wall_size[species];
    float coulomb = 0.f, contact = wca_energy(left * left, size * size) + wca_energy(right * right, size * size);
    for (int j = 0; j < slit.count; j++) {
      if (j == i) continue;
      const float4 b = shared.position[j];
      const float r2 = squared(nearest_image(a.x, a.y, a.z, b)), pair = slit.pair_size[species + (j >= slit.positive_count)];
      coulomb += b.w * (short_antiderivative(slit, fminf(r2, slit.short_range2)) - end);
      contact += 0.5f * wca_energy(r2, pair * pair);
    }
    coulomb += wave_potential(shared, wave_functions(slit, a));
    add_fixed(energy, contact + 0.5f * slit.coulomb_scale * a.w * coulomb);
  }
}

// --- Integration ------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void load(const Slit& slit, const Shared& shared, Ions& ions, const float* state) {
  const int stride = K * blockDim.x;
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k);
    const bool real = i < slit.count;
    const float* s = state + i;
    shared.position[i] = make_float4(real ? s[0] : 0.f, real ? s[stride] : 0.f, real ? s[2 * stride] : GHOST_Z,
                                     real ? slit.valency[i >= slit.positive_count] : 0.f);
    ions.velocity[k] = {s[3 * stride], s[4 * stride], s[5 * stride]};
    ions.contact[k] = {s[6 * stride], s[7 * stride], s[8 * stride]};
    ions.coulomb[k] = {s[9 * stride], s[10 * stride], s[11 * stride]};
  }
  __syncthreads();
}

__device__ __forceinline__ void save(const Slit& slit, const Shared& shared, const Ions& ions, float* state) {
  const int stride = K * blockDim.x;
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k);
    if (i >= slit.count) continue;
    const float4 a = shared.position[i];
    float* s = state + i;
    s[0] = a.x, s[stride] = a.y, s[2 * stride] = a.z;
    s[3 * stride] = ions.velocity[k].x, s[4 * stride] = ions.velocity[k].y, s[5 * stride] = ions.velocity[k].z;
    s[6 * stride] = ions.contact[k].x, s[7 * stride] = ions.contact[k].y, s[8 * stride] = ions.contact[k].z;
    s[9 * stride] = ions.coulomb[k].x, s[10 * stride] = ions.coulomb[k].y, s[11 * stride] = ions.coulomb[k].z;
  }
}

__device__ __forceinline__ void kick(Ions& ions, const Vector (&force)[K], float time) {
#pragma unroll
  for (int k = 0; k < K; k++) add(ions.velocity[k], time, force[k]);
}

// Ornstein-Uhlenbeck step that damps the velocity by the factor `memory`.
__device__ __forceinline__ void add_noise(const Slit& slit, Vector& velocity, u64 interval, int i) {
  const float fresh = sqrtf(1.f - slit.memory * slit.memory);
  const Vector noise = normals(slit, interval, i);
  velocity = {slit.memory * velocity.x, slit.memory * velocity.y, slit.memory * velocity.z};
  add(velocity, fresh, noise);
}

// Move the ions for one time step, with noise in its middle if `noisy`. Returns the largest squared displacement of an ion
// of the thread since the neighbour list was built.
__device__ __forceinline__ float drift(const Slit& slit, const Shared& shared, Ions& ions, bool noisy, u64 interval) {
  const float half = 0.5f * slit.time_step;
  float farthest = 0.f;
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k);
    if (i >= slit.count) continue;
    float4 a = shared.position[i];
    Vector& v = ions.velocity[k];
    a.x = fmaf(half, v.x, a.x), a.y = fmaf(half, v.y, a.y), a.z = fmaf(half, v.z, a.z);
    if (noisy) add_noise(slit, v, interval, i);
    a.x = wrapped(fmaf(half, v.x, a.x)), a.y = wrapped(fmaf(half, v.y, a.y)), a.z = fmaf(half, v.z, a.z);
    shared.position[i] = a;
    farthest = fmaxf(farthest, squared(nearest_image(ions.listed[k].x, ions.listed[k].y, ions.listed[k].z, a)));
  }
  return farthest;
}

// Half kick, half drift, noise, half drift, new contact forces, half kick. The block is synchronised at the end.
__device__ __forceinline__ void time_step(const Slit& slit, const Shared& shared, Ions& ions, bool noisy, u64 interval,
                                          unsigned short* list, int sample, int* status) {
  const float half = 0.5f * slit.time_step;
  kick(ions, ions.contact, half);
  const float farthest = drift(slit, shared, ions, noisy, interval);
  // synchronises: the ions of all threads have moved
  if (__syncthreads_or(farthest > 0.25f * slit.skin * slit.skin)) build_list(slit, shared, ions, list, sample, status);
  contact_forces(slit, shared, ions, list);
  kick(ions, ions.contact, half);
  __syncthreads(); // no ion moves before all threads have read the positions
}

// --- Sums -------------------------------------------------------------------------------------------------------------

// Coulomb forces act as kicks, between which the ions deviate from their smooth paths and return to them. Averaged over the
// interval between two kicks, contact forces balance the kicks; at the moments of the kicks, they do not if ions attract each
// other strongly (docs/trust.md). So samples take the contact forces at the steps of the interval in turn, and everything
// else at its end.

// Add a force, in bin number `place`, to the sums of forces and tails. Return a pointer to the count of ions in that bin.
__device__ __forceinline__ i64* add_force(i64* profile, int species, float place, float force) {
  const int bin = min(max((int)place, 0), BINS - 1);
  i64* sums = profile + species * 3 * BINS + bin;
  add_fixed(sums + BINS, force);
  add_fixed(sums + 2 * BINS, force * (bin + 1 - place));
  return sums;
}

// Add the sum of all threads to a row of the series.
__device__ __forceinline__ void add_series(float (&series)[SERIES], i64* row) {
  const float sum = sum_eight(series);
  if (threadIdx.x % WARP < SERIES) add_fixed(row + threadIdx.x % WARP, sum);
}

// Add the current contact forces to the sums of forces and tails, and to the row of the series.
__device__ __forceinline__ void tally_contact(const Slit& slit, const Shared& shared, const Ions& ions, i64* profile, i64* row) {
  const float scale = BINS / (2.f * slit.half_width);
  float series[SERIES] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k), species = i >= slit.positive_count;
    if (i >= slit.count) continue;
    const float4 a = shared.position[i];
    const float force = ions.contact[k].z;
    add_force(profile, species, (a.z + slit.half_width) * scale, force);
    const float left = wall_force(a.z + slit.wall_position[species], slit.wall_size[species]);
    const float right = wall_force(a.z - slit.wall_position[species], slit.wall_size[species]);
    series[4] += left;
    series[5] += right;
    series[6] += a.z < 0.f ? force - left - right : 0.f;
  }
  add_series(series, row);
}

// `split` time steps between two kicks by the Coulomb forces; noise acts in their middle. Contact forces are tallied after
// step number `phase`, if there is one.
__device__ __forceinline__ void coulomb_interval(const Slit& slit, const Shared& shared, Ions& ions, int split, u64 interval,
                                                 unsigned short* list, int sample, int* status, i64* profile, i64* row, int phase) {
  const float half = 0.5f * slit.time_step * split;
  kick(ions, ions.coulomb, half);
  for (int step = 0; step < split; step++) {
    time_step(slit, shared, ions, step == split / 2 && slit.memory < 1.f, interval, list, sample, status);
    if (step == phase) tally_contact(slit, shared, ions, profile, row);
  }
  coulomb_forces(slit, shared, ions);
  kick(ions, ions.coulomb, half);
}

// --- Samples ----------------------------------------------------------------------------------------------------------

__device__ __forceinline__ void inspect(const Slit& slit, const Shared& shared, int sample, int* status) {
#pragma unroll
  for (int k = 0; k < K; k++) {
    if (ion(k) >= slit.count) continue;
    const float4 a = shared.position[ion(k)];
    if (!isfinite(a.x + a.y + a.z)) report(status, sample, NOT_FINITE);
    else if (fabsf(a.z) >= slit.half_width) report(status, sample, THROUGH_WALL);
  }
}

// Add the current configuration to the sums: counts, Coulomb forces and their tails by species and bin, and one row of the
// series.
__device__ __forceinline__ void tally(const Slit& slit, const Shared& shared, const Ions& ions, i64* profile, i64* row) {
  const float scale = BINS / (2.f * slit.half_width);
  float series[SERIES] = {0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f, 0.f};
#pragma unroll
  for (int k = 0; k < K; k++) {
    const int i = ion(k), species = i >= slit.positive_count;
    if (i >= slit.count) continue;
    const float4 a = shared.position[i];
    const float place = (a.z + slit.half_width) * scale, force = ions.coulomb[k].z;
    atomicAdd((u64*)add_force(profile, species, place, force), 1ull);
    series[0] += squared(ions.velocity[k]);
    series[1] += a.w * a.z;
    series[2] += fabsf(a.z) < slit.middle;
    series[3] += fabsf(a.z) > slit.contact;
    series[6] += a.z < 0.f ? force : 0.f;
  }
  add_series(series, row);
}

// --- Kernels ----------------------------------------------------------------------------------------------------------

// Arrays of all replicas, one block per replica, with a stride of K T ions:
//   state     float (STATE, stride)              see `load`
//   list      unsigned short (NEIGHBOURS, stride)
//   profiles  i64 (2 species, 3, BINS)           counts; sums of forces and of tails in fixed point
//   series    i64 (rows, SERIES)                 sums over the samples of a row in fixed point
//   energy    i64                                in fixed point
//   clock     u64                                Coulomb intervals since the start
//   status    int                                see `report`
#define SLIT_KERNEL extern "C" __global__ void __launch_bounds__(MOST_THREADS, BLOCKS_PER_PROCESSOR)

// Compute the forces and the potential energy at the current positions, after `steps` steps of steepest descent that remove
// overlaps.
SLIT_KERNEL prepare(const Slit* slits, float* state, unsigned short* list, i64* energy, int* status, int steps) {
  const Slit& slit = slits[blockIdx.x];
  if (slit.count == 0) return;
  const int stride = K * blockDim.x;
  state += (size_t)blockIdx.x * STATE * stride;
  list += (size_t)blockIdx.x * NEIGHBOURS * stride;
  status += blockIdx.x;
  const Shared shared = shared_memory();
  Ions ions;
  load(slit, shared, ions, state);
  build_list(slit, shared, ions, list, 0, status);
  contact_forces(slit, shared, ions, list);
  for (int step = 0; step < steps; step++) {
    __syncthreads();
#pragma unroll
    for (int k = 0; k < K; k++) {
      if (ion(k) >= slit.count) continue;
      float4& a = shared.position[ion(k)];
      const float most = slit.largest_move;
      a.x = wrapped(a.x + fminf(fmaxf(slit.mobility * ions.contact[k].x, -most), most));
      a.y = wrapped(a.y + fminf(fmaxf(slit.mobility * ions.contact[k].y, -most), most));
      a.z += fminf(fmaxf(slit.mobility * ions.contact[k].z, -most), most);
    }
    __syncthreads();
    build_list(slit, shared, ions, list, 0, status);
    contact_forces(slit, shared, ions, list);
  }
  coulomb_forces(slit, shared, ions);
  save(slit, shared, ions, state);
  add_potential_energy(slit, shared, energy + blockIdx.x);
}

// Advance by a number of rows of the series, and add their samples to the sums.
SLIT_KERNEL advance(const Slit* slits, float* state, unsigned short* list, i64* profiles, i64* series, i64* energy, u64* clock,
                    int* status, int first_row, int rows, int rows_of_series, int samples_per_row, int intervals, int split) {
  const Slit& slit = slits[blockIdx.x];
  if (slit.count == 0) return;
  const int stride = K * blockDim.x;
  state += (size_t)blockIdx.x * STATE * stride;
  list += (size_t)blockIdx.x * NEIGHBOURS * stride;
  profiles += (size_t)blockIdx.x * 2 * 3 * BINS;
  series += ((size_t)blockIdx.x * rows_of_series + first_row) * SERIES;
  status += blockIdx.x;
  const u64 start = clock[blockIdx.x];
  const int samples = rows * samples_per_row;
  const Shared shared = shared_memory();
  Ions ions;
  load(slit, shared, ions, state);
  build_list(slit, shared, ions, list, 0, status);
  for (int sample = 0; sample < samples; sample++) {
    i64* row = series + sample / samples_per_row * SERIES;
    const u64 first = start + (u64)sample * intervals;
    for (int i = 0; i < intervals; i++) {
      const int phase = i == intervals - 1 ? first / intervals % split : -1;
      coulomb_interval(slit, shared, ions, split, first + i, list, sample, status, profiles, row, phase);
    }
    inspect(slit, shared, sample, status);
    tally(slit, shared, ions, profiles, row);
  }
  save(slit, shared, ions, state);
  add_potential_energy(slit, shared, energy + blockIdx.x);
  __syncthreads(); // all have read the clock
  if (threadIdx.x == 0) clock[blockIdx.x] = start + (u64)samples * intervals;
}

// Philox of given counters and keys, for its known-answer test: one thread per counter.
SLIT_KERNEL philox_words(u32* words, const u32* keys) {
  u32 counter[4];
  for (int i = 0; i < 4; i++) counter[i] = words[4 * threadIdx.x + i];
  philox(counter, keys[2 * threadIdx.x], keys[2 * threadIdx.x + 1]);
  for (int i = 0; i < 4; i++) words[4 * threadIdx.x + i] = counter[i];
}
