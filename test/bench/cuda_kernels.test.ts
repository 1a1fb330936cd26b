/** `check:cuda`: the kept table is what the compiler makes, and planted spills, stack frames and slow products are found. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { compileKernels, kernelFiles } from '../../bench/cuda/compile.js'
import { type Resources, readableName, resourcesOf } from '../../bench/cuda/resources.js'
import { complaints, linesOf, TABLE, tableDiff, tableText, tableVersion } from '../../bench/cuda/table.js'
import { findToolkit, type Toolkit } from '../../bench/cuda/toolkit.js'
import { CHIPS, occupancyOf, TARGET_LIMITS } from '../../src/profile/gpu_model.js'
import { fail } from '../support/failure.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('check:cuda')
const toolkit = findToolkit()
/** Milliseconds: what is not compiled by then is counted as skipped; `npm run check:cuda` compiles all. */
const LIMIT = 60_000

function needsCompiler(name: string, task: (toolkit: Toolkit) => Promise<void>): void {
  if ('missing' in toolkit) skip(test, name, toolkit.missing)
  else test(name, () => task(toolkit))
}

test('names lose the anonymous namespace, casts, the types of arguments and the result', () => {
  assert.is(
    readableName('void (anonymous namespace)::f<128, true, bf16>(bf16 const*, float*)'),
    'f<128, true, bf16>',
  )
  assert.is(readableName('(anonymous namespace)::g(float*)'), 'g')
  assert.is(
    readableName('void h<(int)64, (Form)1, s<(bool)0, void (*)(int)>, 3u>(unsigned int)'),
    'h<64, 1, s<0, void (*)(int)>, 3>',
  )
})

test('occupancy by hand', () => {
  const { a100, h100, rtx4090 } = CHIPS
  const of = (chip: typeof a100, threads: number, registers: number, shared: number) => {
    const { blocks, limit } = occupancyOf({ threads, registers, shared }, chip.limits)
    return `${blocks} ${limit}`
  }
  // 8 warps: 64 / 8
  assert.is(of(a100, 256, 32, 0), '8 warps')
  // 33 registers are 5 steps of 256 a warp: floor(16384 / 1280) = 12 warps in each of four parts
  assert.is(of(a100, 256, 33, 0), '6 registers')
  assert.is(of(h100, 32, 16, 0), '32 blocks')
  // 168 x 32 = 5376 a warp: 3 in a part, 12 in all, which is one block of 12 warps
  assert.is(of(h100, 384, 168, 200 * 1024), '1 registers')
  assert.is(of(h100, 128, 32, 100 * 1024), '2 shared')
  assert.is(of(a100, 128, 32, 100 * 1024), '1 shared')
  assert.is(of(rtx4090, 128, 32, 100 * 1024), '0 shared')
  assert.is(of(rtx4090, 256, 32, 0), '6 warps')
  // 9 warps count as 12 where the hardware looks: 12 x 255 registers do not fit, though 9 would
  assert.is(of(h100, 288, 224, 0), '0 registers')
})

needsCompiler('occupancy is that of cuda_occupancy.h', async ({ nvcc }) => {
  const include = join(dirname(nvcc), '..', 'include')
  if (!existsSync(join(include, 'cuda_occupancy.h'))) fail(`no cuda_occupancy.h in ${include}`)
  const cases = [
    ...[32, 96, 128, 256, 288, 384, 512, 1024].flatMap((threads) =>
      [16, 32, 33, 40, 64, 65, 96, 128, 168, 224, 255].flatMap((registers) =>
        [0, 1, 1000, 8192, 16384, 48128, 66560, 101376, 166912, 232448].map((shared) => ({
          threads,
          registers,
          shared,
        })),
      ),
    ),
  ]
  const folder = temporaryFolder()
  const chips = [CHIPS.a100, CHIPS.h100, CHIPS.rtx4090]
  writeFileSync(
    join(folder, 'occupancy.cc'),
    `#include <cuda_occupancy.h>
    #include <cstdio>
    int main() {
      int threads, registers, shared, chip;
      const int major[] = {8, 9, 8}, minor[] = {0, 0, 9}, warps[] = {64, 64, 48}, all[] = {164, 228, 100};
      while (scanf("%d %d %d %d", &chip, &threads, &registers, &shared) == 4) {
        cudaOccDeviceProp p;
        p.computeMajor = major[chip]; p.computeMinor = minor[chip];
        p.maxThreadsPerBlock = 1024; p.maxThreadsPerMultiprocessor = 32 * warps[chip];
        p.regsPerBlock = p.regsPerMultiprocessor = 65536; p.warpSize = 32; p.numSms = 1;
        p.sharedMemPerBlock = 48 << 10; p.sharedMemPerMultiprocessor = all[chip] << 10;
        p.sharedMemPerBlockOptin = (all[chip] - 1) << 10; p.reservedSharedMemPerBlock = 1 << 10;
        cudaOccFuncAttributes a;
        a.maxThreadsPerBlock = 1024; a.numRegs = registers; a.sharedSizeBytes = 0;
        a.partitionedGCConfig = PARTITIONED_GC_OFF; a.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
        a.maxDynamicSharedSizeBytes = size_t(all[chip] - 1) << 10; a.numBlockBarriers = 1;
        cudaOccDeviceState s;
        s.carveoutConfig = SHAREDMEM_CARVEOUT_MAX_SHARED;
        cudaOccResult r;
        const int status = cudaOccMaxActiveBlocksPerMultiprocessor(&r, &p, &a, &s, threads, shared);
        printf("%d\\n", status == CUDA_OCC_SUCCESS ? r.activeBlocksPerMultiprocessor : 0);
      }
    }`,
  )
  const program = join(folder, 'occupancy')
  const built = spawnSync('g++', ['-O1', '-I', include, '-o', program, join(folder, 'occupancy.cc')], {
    encoding: 'utf8',
  })
  assert.is(built.status, 0, built.stderr)
  const input = chips
    .flatMap((_, i) => cases.map((c) => `${i} ${c.threads} ${c.registers} ${c.shared}`))
    .join('\n')
  const want = spawnSync(program, { input, encoding: 'utf8' }).stdout.trim().split('\n').map(Number)
  const found = chips.flatMap((chip) => cases.map((c) => occupancyOf(c, chip.limits).blocks))
  const wrong = input.split('\n').filter((_, i) => want[i] !== found[i])
  assert.is(want.length, found.length)
  assert.equal(wrong.slice(0, 5), [])
  assert.ok(new Set(want).size > 8)
})

needsCompiler('the kept table is what the compiler makes of the kernels', async (tools) => {
  const path = join(root, TABLE)
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (tableVersion(kept) !== tools.version)
    return skip(test, 'the table', `it is of nvcc ${tableVersion(kept)}, here is ${tools.version}`)
  // all of it takes minutes; what is kept of a run that is cut off shortens the next
  const compiled = await compileKernels(root, tools, { signal: AbortSignal.timeout(LIMIT) })
  const stems = new Set(kernelFiles(root).map((file) => basename(file, '.cu')))
  const missing = [...stems].filter((stem) => compiled.filter((one) => one.stem === stem).length < 2)
  for (const stem of missing) stems.delete(stem)
  if (missing.length > 0)
    skip(test, `the table of ${missing.join(', ')}`, `not compiled in ${LIMIT / 1000} s: npm run check:cuda`)
  const kernels = compiled.filter(({ stem }) => stems.has(stem)).flatMap(resourcesOf)
  const diff = tableDiff(linesOf(kept, stems), tableText(kernels, tools.version))
  if (diff !== '') fail(`${TABLE} (npm run check:cuda -- --write):\n${diff}`)
  assert.equal(complaints(kernels), [])
})

/** Kernels with one fault each, in files of the names of ops. */
const planted = {
  // 40 values, chosen among at run time
  lamb: `struct Shared { float a[300]; };
    __global__ void __launch_bounds__(128) stack_kernel(const float* x, float* y, int n) {
      Shared& s = shared_as<Shared>();
      float q[40];
      for (int i = 0; i < 40; i++) q[i] = x[i * 128 + threadIdx.x];
      for (int i = 0; i < n; i++) q[(i * n) % 40] += q[(7 * i + n) % 40];
      s.a[threadIdx.x] = q[0] + q[17] + q[39];
      __syncthreads();
      y[threadIdx.x] = s.a[127 - threadIdx.x];
    }`,
  // 64 values that are needed twice, in 16 registers
  adamw: `template <int kCount> __global__ void __launch_bounds__(1024, 2) spill_kernel(const float* x, float* y) {
      float q[kCount], sum = 0;
      for (int i = 0; i < kCount; i++) q[i] = x[i * 1024 + threadIdx.x];
      for (int i = 0; i < kCount; i++) sum += q[i];
      for (int i = 0; i < kCount; i++) y[i * 1024 + threadIdx.x] = q[i] * sum;
    }
    void use(Launch& launch) { launch(spill_kernel<64>, 1, 1024, 0, (const float*)nullptr, (float*)nullptr); }`,
  // wgmma whose accumulator is read before it is waited for; nothing on sm_80
  linear: `__global__ void __launch_bounds__(128, 1) serial_kernel(float* y, uint64_t a, uint64_t b, int n) {
    #if defined(__CUDA_ARCH_FEAT_SM90_ALL)
      float d[4] = {};
      for (int i = 0; i < n; i++) {
        asm volatile("wgmma.fence.sync.aligned;");
        asm volatile("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0,%1,%2,%3}, %4, %5, 1, 1, 1, 0, 0;"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]) : "l"(a), "l"(b));
        asm volatile("wgmma.commit_group.sync.aligned;");
        d[1] += y[i];
        asm volatile("wgmma.wait_group.sync.aligned 0;");
      }
      y[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
    #endif
    }`,
  // as linear's, in its order, and one that is not hot without launch bounds
  where: `__global__ void product_kernel(float* y, uint64_t a, uint64_t b) {
      float d[4] = {};
      uint32_t p[4] = {1, 2, 3, threadIdx.x}, q[2] = {4, 5};
      mma_m16n8k16(d, p, q);
      y[threadIdx.x] = d[0] + d[1] + d[2] + d[3];
    }`,
}

needsCompiler('a stack frame, spills and serialised products of hot kernels are found', async (tools) => {
  const folder = temporaryFolder()
  const kernels = join(folder, 'kernels/cuda')
  mkdirSync(kernels, { recursive: true })
  for (const header of readdirSync(join(root, 'kernels/cuda')).filter((file) => /\.(cuh|h)$/.test(file)))
    cpSync(join(root, 'kernels/cuda', header), join(kernels, header))
  const write = (stem: string, body: string) =>
    writeFileSync(join(kernels, `${stem}.cu`), `#include "mma.cuh"\nnamespace {\n${body}\n}\n`)
  for (const [stem, body] of Object.entries(planted)) write(stem, body)
  const compiled: string[] = []
  const all = (await compileKernels(folder, tools, { onCompile: (what) => compiled.push(what) })).flatMap(
    resourcesOf,
  )
  assert.is(compiled.length, 8)
  const one = (stem: string, target: string): Resources =>
    all.find((k) => k.stem === stem && k.target === target) ?? fail(`no ${stem} for ${target}`)
  for (const target of ['80', '90a']) {
    assert.is(one('lamb', target).name, 'stack_kernel')
    assert.is(one('lamb', target).shared, 1200)
    assert.is(one('lamb', target).stack, 160)
    assert.is(one('adamw', target).name, 'spill_kernel<64>')
    assert.is(one('adamw', target).threads, 1024)
    assert.ok(one('adamw', target).spillStores > 0)
    assert.ok(one('where', target).instructions.HMMA > 0)
    assert.is(one('where', target).instructions.HGMMA, 0)
    assert.is(one('where', target).threads, undefined)
  }
  assert.ok(one('linear', '80').empty)
  assert.not.ok(one('linear', '90a').empty)
  assert.ok(one('linear', '90a').instructions.HGMMA > 0)
  const found = complaints(all).join('\n')
  for (const says of [
    /lamb\/stack_kernel \(sm_80\): has a stack frame of 160 bytes/,
    /lamb\/stack_kernel \(sm_90a\): goes to local memory/,
    /adamw\/spill_kernel<64> \(sm_90a\): spills \d+ \+ \d+ bytes/,
    /linear\/serial_kernel \(sm_90a\): .*serialized/,
  ])
    assert.match(found, says)
  assert.not.match(found, /where/)
  assert.not.match(found, /linear\/serial_kernel \(sm_80\)/)

  // only what changed is compiled again: a file, then what all of them include
  compiled.length = 0
  write('where', planted.where.replace('5}', '6}'))
  await compileKernels(folder, tools, { onCompile: (what) => compiled.push(what) })
  assert.equal(compiled, ['where for sm_80', 'where for sm_90a'])
  compiled.length = 0
  writeFileSync(join(kernels, 'bf16.cuh'), `${readFileSync(join(kernels, 'bf16.cuh'), 'utf8')}\n`)
  await compileKernels(folder, tools, { onCompile: (what) => compiled.push(what) })
  assert.is(compiled.length, 8)
})

test('a changed table shows as a diff of its lines, whatever its widths', () => {
  const kernel: Resources = {
    stem: 'scale',
    target: '80',
    name: 'scale_kernel',
    registers: 12,
    threads: 256,
    shared: 0,
    stack: 0,
    spillStores: 0,
    spillLoads: 0,
    instructions: { HGMMA: 0, HMMA: 0, LDL: 0, STL: 0 },
    warnings: [],
    empty: false,
  }
  const kept = tableText([kernel], '13.0.88')
  assert.is(tableVersion(kept), '13.0.88')
  assert.is(tableDiff(kept, kept), '')
  const other = { ...kernel, name: 'a_kernel_of_a_much_longer_name' }
  const diff = tableDiff(kept, tableText([{ ...kernel, registers: 40 }, other], '13.0.88'))
  const none = '-  -  -  -  -  -'
  assert.equal(diff.split('\n'), [
    `+ scale/a_kernel_of_a_much_longer_name  -  256  0  12  8  100%  warps  -  -  ${none}`,
    `- scale/scale_kernel  -  256  0  12  8  100%  warps  -  -  ${none}`,
    `+ scale/scale_kernel  -  256  0  40  6  75%  registers  -  -  ${none}`,
  ])
  assert.is(TARGET_LIMITS['80'].warps, 64)
  const hopper: Resources = {
    ...kernel,
    target: '90a',
    registers: 168,
    threads: 384,
    shared: 200_000,
    stack: 48,
    spillStores: 8,
    spillLoads: 12,
    instructions: { HGMMA: 5, HMMA: 0, LDL: 3, STL: 2 },
  }
  const forms = tableText([{ ...kernel, threads: 384, empty: true }, hopper], '13.0.88')
  assert.match(
    forms,
    /\nscale\/scale_kernel +- +384 +200000 +-( +-){5} +168 +1 +19% +registers +20 spilled, 48 stack +HGMMA\n/,
  )
  const both = tableText([kernel, { ...kernel, stem: 'lamb' }], '13.0.88')
  assert.is(tableDiff(kept, linesOf(both, new Set(['scale']))), '')
  assert.is(tableVersion(linesOf(both, new Set())), '13.0.88')
})

test.run()
