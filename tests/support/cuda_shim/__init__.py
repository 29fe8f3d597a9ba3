"""Stand-in for a graphics card: the CUDA source compiled by g++, run on the CPU.

The threads of a block are fibers; `shim.h` and `shim.cpp` describe how they are scheduled and what
is checked. Nothing here is part of the package.
"""
