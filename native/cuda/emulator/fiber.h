// Fibers: a thread of a block is a stack and a saved stack pointer, switched by a dozen instructions.
#pragma once
#include <cstddef>

namespace emulator {

// Saves the callee-saved registers on the current stack and its pointer in *from, and goes on where `to` was saved.
extern "C" void bioalbert_switch(void** from, void* to);

// A stack on which `entry` starts when it is first switched to. `entry` must never return.
void* prepare_stack(char* stack, size_t bytes, void (*entry)());

}  // namespace emulator
