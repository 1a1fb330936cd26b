/**
 * The WGSL sources: what they declare is what the ops declare, and all of them compile. Needs no adapter: Dawn's null backend compiles and runs nothing.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inHalf, type Kernel } from '../../../src/device/kernel.js'
import type { Program } from '../../../src/device/program.js'
import { openWebgpu } from '../../../src/device/webgpu/device.js'
import {
  type KernelSources,
  matrixConstants,
  readKernels,
  variantFeatures,
  variantNames,
  type WgslKernel,
} from '../../../src/device/webgpu/source.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import * as ops from '../../../src/ops/index.js'
import type { Op } from '../../../src/ops/op.js'
import { cpuKernels } from '../../support/kernel_source.js'
import { root } from '../../support/paths.js'
import { skip } from '../../support/skip.js'
import { section } from '../../support/wgsl_section.js'

const test = suite('webgpu kernels')

const kernels = readKernels(kernelSources())
const all = Object.values(ops).filter(
  (value): value is Op =>
    typeof value === 'object' && value !== null && 'forward' in value && 'infer' in value,
)
const plain = all.flatMap((op) => [op.forward, ...(op.backward ?? []), ...(op.kernels ?? [])])
const declared = plain.flatMap((kernel) => [kernel, inHalf(kernel, 'f16')])

for (const kernel of declared) {
  const forms = kernels.get(kernel.name)
  if (!forms) continue
  const [found] = forms
  test(`${kernel.name}: the WGSL bindings are the declared ones`, () => {
    const show = (buffers: readonly { name: string }[], params: readonly { name: string; type: string }[]) =>
      [...buffers.map((b) => b.name), ...params.map((p) => `${p.name}: ${p.type}`)].join(', ')
    assert.is(show(found.buffers, found.params), show(kernel.buffers, kernel.params))
  })
  test(`${kernel.name}: no entry point binds more than eight buffers, which every adapter allows`, () => {
    for (const { label, entries, paramsBinding } of forms)
      for (const entry of entries)
        assert.ok(entry.bindings.filter((b) => b !== paramsBinding).length <= 8, `${label} ${entry.name}`)
  })
}

test('every WGSL kernel belongs to an op', () => {
  const names = declared.map((k) => k.name)
  assert.equal(
    [...kernels.keys()].filter((name) => !names.includes(name)),
    [],
  )
})

test('every op has its WGSL kernels, but for packed weights of bf16 and of 8-bit integers, which WGSL has not', () => {
  assert.equal(
    plain.filter((k) => !kernels.has(k.name)).map((k) => k.name),
    [ops.pack.forward.name, ops.packInt8.forward.name],
  )
})

test('in f16 there is what the CPU has in bf16, but for embeddings, which a cast makes f16, and the gradient of a copy', () => {
  const onCpu = readdirSync(join(root, 'kernels/cpu'))
    .filter((file) => file.endsWith('.cc'))
    .flatMap((file) => [...cpuKernels(readFileSync(join(root, 'kernels/cpu', file), 'utf8')).keys()])
    .filter((name) => name.endsWith('_bf16') && !name.startsWith('peak'))
  const want = onCpu.map((name) => name.replace(/_bf16$/, '_f16'))
  const without = ['copy_backward_f16', 'embedding_backward_f16', 'embedding_forward_f16']
  assert.equal(want.filter((name) => !kernels.has(name)).sort(), without)
  const found = [...kernels.keys()].filter((name) => name.endsWith('_f16'))
  assert.equal(
    found.filter((name) => !want.includes(name)),
    [inHalf(ops.pack.forward, 'f16').name],
  )
})

/** Validates kernels on Dawn's null backend, in a device with these features; returns what it complains of. */
async function complaintsOf(
  kernels: Iterable<WgslKernel>,
  features: readonly string[] = [],
): Promise<string[]> {
  const { create } = await import('webgpu')
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
  const adapter = (await gpu.requestAdapter())!
  const { limits } = adapter
  const device = await adapter.requestDevice(
    features.length === 0
      ? {}
      : {
          requiredFeatures: features as GPUFeatureName[],
          // what src/device/webgpu/device.ts asks for
          requiredLimits: {
            maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
            maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
            maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
          },
        },
  )
  const complaints: string[] = []
  const modules = new Map<string, GPUShaderModule | undefined>()
  for (const { label, entries } of kernels)
    for (const { name, code } of entries) {
      if (!modules.has(code)) {
        device.pushErrorScope('validation')
        const made = device.createShaderModule({ code })
        const wrong = await device.popErrorScope()
        if (wrong) complaints.push(`${label}: ${wrong.message}`)
        modules.set(code, wrong ? undefined : made)
      }
      const module = modules.get(code)
      if (!module) continue
      device.pushErrorScope('validation')
      device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: name } })
      const error = await device.popErrorScope()
      // subgroups of the null adapter have up to 128 lanes, and one variant wants more memory than every adapter has: matters of the
      // adapter that a variant is chosen for
      const isOfAdapter =
        error?.message.includes('must be a multiple of the device maxSubgroupSize') ||
        (error?.message.includes('total use of workgroup storage') && label.includes('subgroup_matrix_wide'))
      if (error && !isOfAdapter) complaints.push(`${label} ${name}: ${error.message}`)
    }
  device.destroy()
  // Dawn in Node ends with the last reference to them
  assert.ok(gpu && adapter)
  return complaints
}

test('every form of every kernel compiles with what all adapters have', async () => {
  const complaints = await complaintsOf([...kernels.values()].flat())
  assert.ok(complaints.length === 0, complaints.join('\n'))
})

const openFamilies = ({ shared }: KernelSources) =>
  Object.keys(shared).filter((family) => Object.keys(shared[family]).length > 1)

/** The families with a choice that stand together in a kernel. */
function together(sources: KernelSources, found: Iterable<readonly WgslKernel[]>): string[][] {
  const open = openFamilies(sources)
  const groups = [...found].flat().map(({ families }) => open.filter((family) => families.includes(family)))
  return [...new Map(groups.map((group) => [group.join(), group])).values()]
}

/** Every choice of variants for the families that stand together in a kernel; of others the first. */
function choices(sources: KernelSources): Record<string, string>[] {
  return together(sources, kernels.values()).flatMap((group) => {
    let all: Record<string, string>[] = [{}]
    for (const family of group)
      all = all.flatMap((chosen) =>
        Object.keys(sources.shared[family]).map((variant) => ({ ...chosen, [family]: variant })),
      )
    return all
  })
}

/** Matrices of subgroups: those of Metal and of NVIDIA under Vulkan, and others that the variants can use, down to their ends. */
const MATRICES = [
  ['f32 -> f32 8x8x8', 'f16 -> f32 16x16x16'],
  ['f32 -> f32 8x16x16', 'f16 -> f32 16x8x16'],
  ['f32 -> f32 16x8x4', 'f16 -> f32 8x16x16'],
  ['f32 -> f32 8x4x4', 'f16 -> f32 8x8x8'],
  ['f32 -> f32 16x32x16', 'f16 -> f32 16x32x32'],
]

/** Kernels whose code differs, by what it enables; all that any choice of variants has. */
function byFeatures(sources: KernelSources): Map<string, WgslKernel[]> {
  const groups = new Map<string, WgslKernel[]>()
  const seen = new Set<string>()
  const all = choices(sources).flatMap((variants) => {
    const multiplies = Object.entries(variants).some(
      ([family, variant]) => matrixConstants(sources.shared[family][variant], MATRICES[0]) !== '',
    )
    const shapes = multiplies ? MATRICES : MATRICES.slice(0, 1)
    return shapes.map((matrices) => ({ variants, found: readKernels(sources, variants, matrices) }))
  })
  // a variant that brought another family into a kernel would have choices that are not among these
  const known = together(sources, kernels.values())
  for (const group of together(
    sources,
    all.flatMap(({ found }) => [...found.values()]),
  ))
    assert.ok(
      known.some((other) => group.every((family) => other.includes(family))),
      group.join(),
    )
  for (const { variants, found } of all)
    for (const kernel of [...found.values()].flat()) {
      const code = kernel.entries.map((entry) => entry.code).join()
      if (seen.has(code)) continue
      seen.add(code)
      const features = kernel.families.flatMap((family) =>
        variantFeatures(sources.shared[family][variants[family] ?? variantNames(sources.shared[family])[0]]),
      )
      const key = [...new Set(features)].sort().join(' ')
      const named = { ...kernel, label: `${kernel.label} of ${JSON.stringify(variants)}` }
      groups.set(key, [...(groups.get(key) ?? []), named])
    }
  return groups
}

const nullFeatures = await (async () => {
  const { create } = await import('webgpu')
  const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis'])
  const adapter = await gpu.requestAdapter()
  return [...adapter!.features].map((feature) => `${feature}`)
})()

for (const [key, group] of byFeatures(kernelSources())) {
  const features = key === '' ? [] : key.split(' ')
  const name = `every variant of every kernel compiles with ${features.join(', ') || 'no feature'} (${group.length})`
  const missing = features.filter((feature) => !nullFeatures.includes(feature))
  if (missing.length > 0) skip(test, name, `Dawn's null adapter has no ${missing.join(', ')}`)
  else
    test(name, async () => {
      const complaints = await complaintsOf(group, ['subgroups', ...features])
      assert.ok(complaints.length === 0, complaints.join('\n'))
    })
}

test('f16, subgroups and matrices of subgroups are among what is validated so', async () => {
  const variants = {
    f16: ['shader-f16', 'var a = 1h; x[0] = f32(a);', 'var a = 1h; x[0] = a;'],
    subgroups: ['subgroups', 'x[0] = subgroupAdd(x[0]);', 'x[0] = subgroupSum(x[0]);'],
    matrices: [
      'chromium-experimental-subgroup-matrix',
      'var a: subgroup_matrix_left<f32, 8, 8>; _ = a;',
      'var a: subgroup_matrix_left<f32, 8>;',
    ],
  }
  for (const [family, [feature, right, wrong]] of Object.entries(variants)) {
    const of = (body: string): WgslKernel[] => {
      const text = `// requires ${feature}\nfn work() { ${body} }\n`
      const files = { k: `// uses ${family}\n${section('', '1')}` }
      return readKernels({ prelude: '', files, shared: { [family]: { '': text } } }).get('k_forward')!
    }
    assert.ok(nullFeatures.includes(feature), feature)
    assert.equal(await complaintsOf(of(right), [feature]), [], family)
    assert.is((await complaintsOf(of(wrong), [feature])).length, 1, family)
  }
})

test('without an adapter the device says so', async () => {
  const gpu = { requestAdapter: async () => null } as unknown as GPU
  let message = ''
  await openWebgpu(gpu, kernelSources()).catch((error: Error) => {
    message = `${error.name}: ${error.message}`
  })
  assert.match(message, /UsageError: the webgpu device is not available: there is no adapter/)
})

test('a kernel that does not compile is named by the first run, and the device lives on', async () => {
  const { create } = await import('webgpu')
  const sources = kernelSources()
  const files = {
    ...sources.files,
    scale: sources.files.scale.replaceAll('* params.factor', '* params.fact'),
  }
  const device = await openWebgpu(create(['backend=null']), { ...sources, files })
  const buffer = device.alloc(512, 'x')
  const step = (kernel: Kernel, offsets: readonly number[], params: readonly number[]): Program => {
    const place = { arena: 0, bytes: 4, stride: 0, shift: 0, modulo: 1 }
    const refs = offsets.map((offset) => ({ ...place, offset }))
    const call = { kind: 'call', kernel, refs, params, label: kernel.name } as const
    return { name: 'test', arenas: [{ name: 'a', bytes: 512 }], scalars: [], steps: [call] }
  }
  const bad = device.prepare(step(ops.scale.forward, [0, 256], [1, 2]), [buffer])
  let message = ''
  await device.run(bad, {}).catch((error: Error) => {
    message = `${error.name}: ${error.message}`
  })
  assert.match(message, /UserError: webgpu: kernel scale_forward \(form 2\) main: .*fact/s)
  await device.run(device.prepare(step(ops.fill.forward, [0], [1, 2]), [buffer]), {})
  await device.destroy()
})

test('the device itself needs nothing of Node', async () => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/device/webgpu/device.ts')],
    bundle: true,
    platform: 'browser',
    format: 'esm',
    write: false,
    logLevel: 'silent',
  })
  assert.ok(outputFiles[0].text.includes('requestAdapter'))
})

test.run()
