/**
 * What an op declares is what its kernels take: the argument lists in kernels/cpu and kernels/cuda, read from the sources,
 * against the buffers, their access and the parameters in src/ops; in order and by name.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inHalf, inInt8, type Kernel } from '../src/device/kernel.js'
import * as ops from '../src/ops/index.js'
import type { Op } from '../src/ops/op.js'
import { cpuKernels, cudaKernels, type KernelSignature } from './support/kernel_source.js'
import { root } from './support/paths.js'

const test = suite('kernel declarations')

function declared(kernel: Kernel): string {
  return show({
    buffers: kernel.buffers.map(({ name, access }) => ({ name, readOnly: access === 'read' })),
    params: [...kernel.params],
  })
}

function show({ buffers, params }: KernelSignature): string {
  const parts = [
    ...buffers.map(({ name, readOnly }) => (readOnly ? `const* ${name}` : `* ${name}`)),
    ...params.map(({ name, type }) => `${type} ${name}`),
  ]
  return parts.join(', ')
}

const all = Object.values(ops).filter(
  (value): value is Op =>
    typeof value === 'object' && value !== null && 'forward' in value && 'infer' in value,
)

/** What a file exports is what the op declares, all of it and nothing else. */
function compare(
  op: Op,
  file: string,
  read: (source: string) => Map<string, KernelSignature>,
): Map<string, KernelSignature> {
  const found = read(readFileSync(join(root, file), 'utf8'))
  const kernels = [op.forward, ...(op.backward ?? []), ...(op.kernels ?? [])]
  const forms = (kernel: Kernel) => [kernel.name, inHalf(kernel, 'bf16').name, inInt8(kernel).name]
  for (const kernel of kernels) {
    const signatures = forms(kernel).flatMap((name) => found.get(name) ?? [])
    assert.ok(signatures.length > 0, `${file} does not export ${kernel.name}`)
    for (const signature of signatures) assert.is(show(signature), declared(kernel))
  }
  const names = kernels.flatMap(forms)
  const extra = [...found.keys()].filter((name) => !names.includes(name))
  assert.equal(extra, [], `${file} exports what the op does not declare`)
  return found
}

for (const op of all) {
  test(`${op.name}: the C++ arguments are the declared ones`, () => {
    compare(op, `kernels/cpu/${op.name}.cc`, cpuKernels)
  })
  // products of 8-bit integers are the CPU's alone
  if (op.name === 'pack_int8') continue
  const file = `kernels/cuda/${op.name}.cu`
  test(`${op.name}: the CUDA arguments are the declared ones, in all forms but int8`, () => {
    const onCpu = [...compare(op, `kernels/cpu/${op.name}.cc`, cpuKernels).keys()]
    const forms = onCpu.filter((name) => !name.endsWith('_int8'))
    assert.equal([...compare(op, file, cudaKernels).keys()].sort(), forms.sort())
  })
}

test('there are ops to compare', () => {
  assert.ok(all.length > 0)
})

test('the reader of argument lists refuses what it cannot read', () => {
  const file = (list: string) => `void k_forward(${list}) {}\nEXPORT_KERNELS(k, KERNEL(k_forward))`
  assert.throws(() => cpuKernels(file('const float* x')), /not Team&/)
  assert.throws(() => cpuKernels(file('Team& team, double x')), /cannot read the argument `double x`/)
  assert.throws(() => cpuKernels(file('Team& team, uint32_t n, float* y')), /behind a parameter/)
  const template = 'template <class T>\nvoid k_forward(Team& team, const T* x) {}\n'
  assert.equal(
    [...cpuKernels(`${template}EXPORT_KERNELS(k, KERNELS(k_forward))`).keys()],
    ['k_forward', 'k_forward_bf16'],
  )
  assert.throws(() => cpuKernels(`${template}EXPORT_KERNELS(k, KERNEL(k_forward))`), /want a template over T/)
  assert.throws(
    () => cpuKernels(file('Team& team, const float* x').replace('KERNEL(', 'KERNELS(')),
    /want a template/,
  )
  const { buffers, params } = cpuKernels(
    file('Team&, const int32_t* ids, float* y,\n  uint32_t n, float eps'),
  ).get('k_forward')!
  assert.equal(buffers, [
    { name: 'ids', readOnly: true },
    { name: 'y', readOnly: false },
  ])
  assert.equal(params, [
    { name: 'n', type: 'u32' },
    { name: 'eps', type: 'f32' },
  ])
})

test('the reader of CUDA argument lists refuses what it cannot read', () => {
  const file = (list: string) => `void k_forward(${list}) {}\nEXPORT_KERNELS(k, KERNEL(k_forward))`
  assert.throws(() => cudaKernels(file('Buffer<float> x')), /not Launch&/)
  assert.throws(() => cudaKernels(file('Launch& launch, float* x')), /cannot read the argument `float\* x`/)
  assert.throws(
    () => cudaKernels(file('Launch& launch, Param<double> x')),
    /cannot read the argument `Param<double> x`/,
  )
  assert.throws(
    () => cudaKernels(file('Launch& launch, Param<uint32_t> n, Buffer<float> y')),
    /behind a parameter/,
  )
  const list =
    'Launch&, Buffer<const int32_t> ids, Buffer<float> y,\n  Weight<T> w, [[maybe_unused]] Param<uint32_t> n, Param<float> eps'
  const { buffers, params } = cudaKernels(file(list)).get('k_forward')!
  assert.equal(buffers, [
    { name: 'ids', readOnly: true },
    { name: 'y', readOnly: false },
    { name: 'w', readOnly: true },
  ])
  assert.equal(params, [
    { name: 'n', type: 'u32' },
    { name: 'eps', type: 'f32' },
  ])
})

test.run()
