/**
 * The WGSL sources: what they declare is what the ops declare, all of them compile, and what breaks the conventions of
 * source.ts is refused with the kernel's name. Needs no adapter: Dawn's null backend compiles and runs nothing.
 */
import { join } from 'node:path'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Kernel } from '../../../src/device/kernel.js'
import type { Program } from '../../../src/device/program.js'
import { runnable } from '../../../src/device/webgpu/choice.js'
import { openWebgpu } from '../../../src/device/webgpu/device.js'
import { parseExpression } from '../../../src/device/webgpu/expression.js'
import {
  formFor,
  type KernelSources,
  readKernels,
  variantFeatures,
  type WgslKernel,
} from '../../../src/device/webgpu/source.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import * as ops from '../../../src/ops/index.js'
import type { Op } from '../../../src/ops/op.js'
import { root } from '../../support/paths.js'
import { skip } from '../../support/skip.js'

const test = suite('webgpu kernels')

const kernels = readKernels(kernelSources())
const all = Object.values(ops).filter(
  (value): value is Op =>
    typeof value === 'object' && value !== null && 'forward' in value && 'infer' in value,
)
const declared = all.flatMap((op) => [op.forward, ...(op.backward ?? []), ...(op.kernels ?? [])])

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

test('every op has its WGSL kernels, but for packed weights, of bf16 and of 8-bit integers, which WGSL has not', () => {
  assert.equal(
    declared.filter((k) => !kernels.has(k.name)).map((k) => k.name),
    [ops.pack.forward.name, ops.packInt8.forward.name],
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
  for (const { label, code, entries } of kernels) {
    device.pushErrorScope('validation')
    const module = device.createShaderModule({ code })
    const wrong = await device.popErrorScope()
    if (wrong) complaints.push(`${label}: ${wrong.message}`)
    for (const { name } of wrong ? [] : entries) {
      device.pushErrorScope('validation')
      device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: name } })
      const error = await device.popErrorScope()
      // subgroups of the null adapter have up to 128 lanes: a matter of the adapter that a variant is chosen for
      if (error && !error.message.includes('must be a multiple of the device maxSubgroupSize'))
        complaints.push(`${label} ${name}: ${error.message}`)
    }
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

/** Every choice of one variant for each family. */
function choices({ shared }: KernelSources): Record<string, string>[] {
  let all: Record<string, string>[] = [{}]
  for (const [family, variants] of Object.entries(shared))
    all = all.flatMap((chosen) => Object.keys(variants).map((variant) => ({ ...chosen, [family]: variant })))
  return all
}

/** Shapes of matrices of subgroups that adapters have: Metal's, and others that the constants of a variant allow. */
const MATRICES = ['f32 -> f32 8x8x8', 'f32 -> f32 8x16x16']

/** Kernels whose code differs, by what it enables; all that any choice of variants has. */
function byFeatures(sources: KernelSources): Map<string, WgslKernel[]> {
  const groups = new Map<string, WgslKernel[]>()
  const seen = new Set<string>()
  const all = choices(sources).flatMap((variants) =>
    MATRICES.map((matrix) => ({ variants, found: readKernels(sources, variants, [matrix]) })),
  )
  for (const { variants, found } of all)
    for (const kernel of [...found.values()].flat()) {
      if (seen.has(kernel.code)) continue
      seen.add(kernel.code)
      const features = kernel.families.flatMap((family) =>
        variantFeatures(sources.shared[family][variants[family]]),
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

test('numbers of workgroups follow from the parameters', () => {
  const value = (text: string) =>
    parseExpression(text)((name) => ({ rows: 130, hidden: 65 })[name] ?? Number.NaN)
  assert.is(value('ceil(rows / 64) * ceil(hidden / 64)'), 6)
  assert.is(value('rows - 2 * (hidden - 1)'), 2)
  assert.is(value('max(min(rows, 7), 3)'), 7)
  for (const text of ['ceil(rows', 'rows +', 'floor(rows)', '2 rows', 'rows = 2', ''])
    assert.throws(() => parseExpression(text), /found|there is no/, text)
})

test('a source that breaks the conventions is refused by the name of its kernel', () => {
  const entry = '// workgroups: 1\n@compute @workgroup_size(1)\nfn main() {}\n'
  const x = '@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n'
  const read = (text: string) =>
    readKernels({ prelude: '', shared: {}, files: { k: `// kernel k_forward\n${text}` } })
  assert.is(read(x + entry).get('k_forward')![0].entries.length, 1)
  const bad: [string, RegExp][] = [
    [x, /k_forward: it has no entry point/],
    [x + entry.replace('// workgroups: 1\n', ''), /k_forward: no line `\/\/ workgroups/],
    [x + entry.replace(': 1', ': rows'), /k_forward: workgroups of main: no parameter or constant rows/],
    [x.replace('binding(0)', 'binding(1)') + entry, /k_forward: x is @group\(0\) @binding\(1\)/],
    [x.replace('read_write', 'read') + entry, /k_forward: x is not var<storage, read_write>/],
    [`struct Params { rows: u32 }\n${x}${entry}`, /k_forward: struct Params and its uniform belong together/],
  ]
  for (const [text, message] of bad) assert.throws(() => read(text), message)
  assert.throws(
    () => readKernels({ prelude: '', shared: {}, files: { k: 'fn f() {}' } }),
    /k.wgsl has no line/,
  )
})

const section = (when: string, groups: string) =>
  `// kernel k_forward\n${when}struct Params { rows: u32, in: u32 }\n` +
  '@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n@group(0) @binding(1) var<uniform> params: Params;\n' +
  `// workgroups: ${groups}\n@compute @workgroup_size(1)\nfn main() { work(); }\n`

test('of the forms of a kernel the first is taken whose condition holds for what is known', () => {
  const files = {
    k:
      section('// when: in % 4 == 0 && rows <= 8\n', 'rows') +
      section('// when: in % 2 == 0\n', '2') +
      section('', '1'),
  }
  const forms = readKernels({ prelude: '', shared: {}, files }).get('k_forward')!
  const chosen = (known: Record<string, number>) => forms.indexOf(formFor(forms, (name) => known[name]))
  assert.is(chosen({ in: 8, rows: 8 }), 0)
  assert.is(chosen({ in: 8, rows: 9 }), 1)
  assert.is(chosen({ in: 8 }), 1, 'what a run sets is not known')
  assert.is(chosen({ in: 7, rows: 1 }), 2)
  const read = (k: string) => readKernels({ prelude: '', shared: {}, files: { k } })
  assert.throws(() => read(section('// when: in == 1\n', '1')), /k_forward: the last of its forms/)
  assert.throws(() => read(section('', '1') + section('', '1')), /k_forward: the last of its forms/)
  assert.throws(
    () => read(section('// when: in == 1\n', '1') + section('', '1').replaceAll('in: u32', 'out: u32')),
    /form 2\): it declares x, rows, out \(want x, rows, in\)/,
  )
})

test('forms that differ in shared code, constants and condition are lines of one section', () => {
  const shared = {
    vec4: { '': 'alias Vec = vec4f;\nconst WIDE = 4u;\n' },
    single: { '': 'alias Vec = f32;\nconst WIDE = 1u;\n' },
  }
  const text = section(
    '// form vec4, TILE = 8u when: in % 4 == 0\n// form single, TILE = 2u\n',
    'ceil(rows / (TILE * WIDE))',
  )
  const files = { k: text.replace('array<f32>', 'array<Vec>') }
  const [fours, single] = readKernels({ prelude: '', files, shared }).get('k_forward')!
  assert.equal([fours.families, single.families], [['vec4'], ['single']])
  assert.equal([fours.label, single.label], ['k_forward', 'k_forward (form 2)'])
  assert.equal(
    [fours, single].map(({ entries }) => entries[0].workgroups(() => 64)),
    [2, 32],
  )
  assert.is(single.when, undefined)
  assert.equal(fours.buffers, [{ name: 'x', type: 'f32' }])
  assert.match(fours.code, /const TILE = 8u;/)
  assert.not.match(fours.code, /const TILE = 2u;/)
})

test('shared code stands in front, in the variant that is chosen, with what it uses and enables', () => {
  const shared = {
    product: {
      plain: '// uses sums\nconst TILE = 2u * 8u;\nfn work() { sum(); }\n',
      subgroup: '// requires subgroups\n// requires shader-f16\nconst TILE = 4u;\nfn work() {}\n',
    },
    sums: { '': 'fn sum() { x[0] = 1; }\n' },
  }
  const files = { k: `// uses product\n${section('', 'ceil(rows / TILE)')}` }
  const read = (variants: Record<string, string>) =>
    readKernels({ prelude: '', files, shared }, variants).get('k_forward')![0]
  const groups = (kernel: ReturnType<typeof read>) => kernel.entries[0].workgroups(() => 33)
  const plain = read({})
  assert.equal(plain.families, ['product', 'sums'])
  assert.is(groups(plain), 3)
  assert.equal(plain.entries[0].bindings, [0], 'x is reached through both')
  const chosen = read({ product: 'subgroup' })
  assert.is(groups(chosen), 9)
  assert.match(chosen.code, /^enable subgroups;\nenable f16;\n/)
  assert.not.match(plain.code, /enable/)
  const one = `${section('// uses sums\n', '1').replace('work();', 'sum();')}${section('// uses product\n', '1').replace('k_forward', 'k_backward')}`
  const apart = readKernels({ prelude: '', files: { k: one }, shared }, {})
  assert.equal(apart.get('k_forward')![0].families, ['sums'], 'a line in a section is for that section')
  assert.not.match(apart.get('k_forward')![0].code, /fn work/)
  assert.equal(apart.get('k_backward')![0].families, ['product', 'sums'])
  assert.throws(() => read({ product: 'no' }), /product has no variant no \(want plain, subgroup\)/)
  assert.throws(() => readKernels({ prelude: '', files, shared: {} }), /k.wgsl uses product, which is not/)
})

test('a variant that multiplies matrices of subgroups has the shape of the first that the adapter has of its kind', () => {
  const shared = {
    product: {
      plain: 'const TILE = 1u;\nfn work() {}\n',
      matrix: '// requires subgroups\n// multiplies f32 -> f32\nconst TILE = M * N + K;\nfn work() {}\n',
    },
  }
  const files = { k: `// uses product\n${section('', 'ceil(rows / TILE)')}` }
  const sources = { prelude: '', files, shared }
  const groups = (variants: Record<string, string>, matrices: readonly string[]) =>
    readKernels(sources, variants, matrices)
      .get('k_forward')![0]
      .entries[0].workgroups(() => 64)
  const offered = ['f16 -> f32 16x16x16', 'f32 -> f32 4x2x8', 'f32 -> f32 8x8x8']
  assert.is(groups({ product: 'matrix' }, offered), 4)
  assert.is(groups({}, offered), 64, 'without a choice the one that needs nothing')
  assert.throws(
    () => groups({ product: 'matrix' }, offered.slice(0, 1)),
    /product\/matrix multiplies f32 -> f32, of which/,
  )
  const names = (matrices: readonly string[]) => runnable(sources, ['subgroups'], matrices).product
  assert.equal(names(offered), ['plain', 'matrix'])
  assert.equal(names([]), ['plain'])
})

test.run()
