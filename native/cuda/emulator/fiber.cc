#include "fiber.h"

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
// System V: rbx, rbp, r12 to r15 belong to the caller.
asm(R"(
.text
.globl bioalbert_switch
.hidden bioalbert_switch
.type bioalbert_switch,@function
bioalbert_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size bioalbert_switch,.-bioalbert_switch
)");
#elif defined(__aarch64__)
// AAPCS64: x19 to x30 and the lower halves of v8 to v15 belong to the caller.
asm(R"(
.text
.globl bioalbert_switch
.hidden bioalbert_switch
.type bioalbert_switch,%function
bioalbert_switch:
  stp x29, x30, [sp, #-160]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #160
  ret
.size bioalbert_switch,.-bioalbert_switch
)");
#else
#error "the emulator of CUDA blocks runs on x86-64 and aarch64"
#endif

namespace emulator {

void* prepare_stack(char* stack, size_t bytes, void (*entry)()) {
  const uintptr_t top = (reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15);
#if defined(__x86_64__)
  // six registers, the address to return to, and one word so that the stack is aligned as after a call
  uint64_t* at = reinterpret_cast<uint64_t*>(top) - 8;
  std::memset(at, 0, 64);
  at[6] = reinterpret_cast<uint64_t>(entry);
  return at;
#else
  uint64_t* at = reinterpret_cast<uint64_t*>(top - 160);
  std::memset(at, 0, 160);
  at[1] = reinterpret_cast<uint64_t>(entry);
  return at;
#endif
}

}  // namespace emulator
