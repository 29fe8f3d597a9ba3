// Scheduler of the fibers, and the entry points that Python calls: `launch` returns nullptr or a message.
//
// SOURCE is the path of the CUDA source. It defines kernels with C linkage; KERNELS below lists how each is called.
#include "shim.h"

#include <csetjmp>
#include <cstdio>
#include <string>
#include <ucontext.h>
#include <utility>
#include <vector>

namespace shim {

Index thread, block, threads, blocks;

namespace {

constexpr size_t STACK = 64 * 1024;
constexpr unsigned int WARP = 32;

enum Place : unsigned char { RUNNABLE, AT_BARRIER, AT_SHUFFLE, FINISHED };
const char* const PLACES[] = {"running", "at a barrier", "at a shuffle", "finished"};

struct Warp {
  unsigned int mask, arrived;
  float given[WARP], taken[WARP];
};

std::vector<jmp_buf> fibers;
std::vector<Place> places;
std::vector<Warp> warps;
std::vector<char> stacks;
jmp_buf scheduler;
ucontext_t creator;
void (*body)();
std::string problem;
unsigned int waiting, turn;
bool descending, progress;
int any, any_of_all;

[[noreturn]] void fail(const std::string& message) {
  problem = message;
  longjmp(scheduler, 1);
}

std::string this_thread() { return "thread " + std::to_string(thread.x); }

// Continue with the next fiber of this round that can run, or with the scheduler after the last one.
[[noreturn]] void run_next() {
  while (turn < threads.x) {
    const unsigned int i = descending ? threads.x - 1 - turn : turn;
    turn++;
    if (places[i] != RUNNABLE) continue;
    progress = true;
    thread.x = i;
    _longjmp(fibers[i], 1);
  }
  _longjmp(scheduler, 1);
}

void wait_at(Place place) {
  places[thread.x] = place;
  if (_setjmp(fibers[thread.x]) == 0) run_next();
}

void run_fiber() {
  if (_setjmp(fibers[thread.x]) == 0) setcontext(&creator);
  body();
  places[thread.x] = FINISHED;
  run_next();
}

}  // namespace

int barrier(int predicate) {
  any |= predicate != 0;
  if (++waiting < threads.x) {
    wait_at(AT_BARRIER);
    return any_of_all;
  }
  any_of_all = any;
  any = 0;
  waiting = 0;
  places.assign(threads.x, RUNNABLE);
  return any_of_all;
}

float exchange(unsigned int mask, float value, int lane) {
  Warp& warp = warps[thread.x / WARP];
  const unsigned int own = thread.x % WARP, bit = 1u << own;
  if (!(mask & bit)) fail(this_thread() + " is not in the mask of its shuffle");
  if (!(mask >> lane & 1)) fail(this_thread() + " takes the value of a lane outside the mask of its shuffle");
  if (warp.arrived && warp.mask != mask) fail(this_thread() + " has another mask than the lanes that wait at a shuffle");
  warp.mask = mask;
  warp.given[own] = value;
  warp.arrived |= bit;
  if (warp.arrived != mask) {
    wait_at(AT_SHUFFLE);
    return warp.taken[lane];
  }
  std::memcpy(warp.taken, warp.given, sizeof warp.given);
  warp.arrived = 0;
  const unsigned int first = thread.x - own;
  for (unsigned int i = 0; i < WARP; i++)
    if (mask >> i & 1) places[first + i] = RUNNABLE;
  return warp.taken[lane];
}

namespace {

std::string deadlock() {
  std::string text = "the threads wait for each other:";
  for (unsigned int i = 0; i < threads.x; i++)
    text += " " + std::to_string(i) + " " + PLACES[places[i]] + (i + 1 < threads.x ? "," : "");
  return text;
}

void create(unsigned int i) {
  ucontext_t context;
  getcontext(&context);
  context.uc_stack.ss_sp = &stacks[i * STACK];
  context.uc_stack.ss_size = STACK;
  context.uc_link = nullptr;
  makecontext(&context, run_fiber, 0);
  thread.x = i;
  places[i] = RUNNABLE;
  // the fiber saves itself and returns at once; from then on, switching needs no system call
  swapcontext(&creator, &context);
}

bool all_finished() {
  for (Place each : places)
    if (each != FINISHED) return false;
  return true;
}

// Run the threads of a block to the end, in rounds of ascending or descending order.
bool run_block() {
  for (unsigned int i = 0; i < threads.x; i++) create(i);
  while (!all_finished()) {
    turn = 0;
    progress = false;
    if (_setjmp(scheduler) == 0) run_next();
    if (problem.empty() && !progress) problem = deadlock();
    if (!problem.empty()) return false;
  }
  return true;
}

}  // namespace

constexpr size_t LARGEST_SHARED = 99 * 1024;
constexpr unsigned char UNTOUCHED = 0xFF;  // as float, not a number

// Run all blocks of a launch.
bool run(unsigned int many, unsigned int of_threads, size_t shared_bytes, bool in_descending_order, void* memory, void (*kernel)()) {
  problem.clear();
  if (of_threads % WARP) problem = "the threads of a block are not whole warps";
  if (shared_bytes > LARGEST_SHARED) problem = "a block may use at most 99 KB of shared memory";
  body = kernel;
  blocks.x = many, threads.x = of_threads;
  descending = in_descending_order;
  fibers = std::vector<jmp_buf>(of_threads);
  places.assign(of_threads, RUNNABLE);
  stacks.resize(of_threads * STACK);
  for (block.x = 0; block.x < many && problem.empty(); block.x++) {
    warps.assign(of_threads / WARP, Warp());
    waiting = 0, any = 0;
    std::memset(memory, UNTOUCHED, LARGEST_SHARED);
    if (!run_block()) break;
    for (size_t i = shared_bytes; i < LARGEST_SHARED; i++)
      if (((unsigned char*)memory)[i] != UNTOUCHED) problem = "a block has written outside its shared memory";
  }
  return problem.empty();
}

const char* message() { return problem.c_str(); }

}  // namespace shim

// `extern __shared__ float4 memory[]` of the source
float4 memory[shim::LARGEST_SHARED / sizeof(float4)];

#include SOURCE

namespace {
void** values;
template <typename T> T value(int i) { return *(T*)values[i]; }
template <typename... Types, size_t... I> void call_with(void (*kernel)(Types...), std::index_sequence<I...>) {
  kernel(value<Types>(I)...);
}
template <typename... Types> void call(void (*kernel)(Types...)) { call_with(kernel, std::index_sequence_for<Types...>()); }
}  // namespace

// `arguments` points to the value of each argument, as for cuLaunchKernel.
#define ENTRY(kernel)                                                                                                      \
  extern "C" __attribute__((visibility("default"))) const char* launch_##kernel(                                           \
      unsigned int blocks, unsigned int threads, size_t shared_bytes, int descending, void** arguments) {                  \
    values = arguments;                                                                                                    \
    return shim::run(blocks, threads, shared_bytes, descending, memory, [] { call(kernel); }) ? nullptr : shim::message(); \
  }

KERNELS
