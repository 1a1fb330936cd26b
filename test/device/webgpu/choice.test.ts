/**
 * The choice of variants of shared WGSL code: the fastest of those that compute what they should, kept by adapter and sources. On a
 * family made up for it, of which one variant is right, one right and slow, one wrong, one not WGSL and one not for the adapter.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type ChoiceStore,
  checkVariants,
  choiceKey,
  knownChoices,
  runnable,
} from '../../../src/device/webgpu/choice.js'
import { openWebgpu, type WebgpuDevice, type WebgpuOptions } from '../../../src/device/webgpu/device.js'
import { openWebgpuInNode } from '../../../src/device/webgpu/node.js'
import { type KernelSources, readKernels } from '../../../src/device/webgpu/source.js'
import { fileStore } from '../../../src/device/webgpu/store_node.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'
import { message } from '../../support/conformance.js'
import { skip } from '../../support/skip.js'
import { withSwiftshader } from '../../support/swiftshader.js'

await withSwiftshader()

const test = suite('webgpu variants')

const sum = (last: string, times: number) =>
  `fn product(r: u32, o: u32) -> f32 {
  var sum = 0.0;
  for (var t = 0u; t < ${times}u; t++) {
    for (var i = 0u; i < ${last}; i++) { sum += x[r * params.in + i] * weight[o * params.in + i]; }
  }
  return sum / ${times}.0;
}
`
const sources: KernelSources = {
  prelude: kernelSources().prelude,
  files: {
    linear: `// uses product
// kernel linear_forward
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;
// workgroups: ceil(rows * out / 64)
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = group_index(group, groups) * 64u + lane;
  if (at < params.rows * params.out) { y[at] = bias[at % params.out] + product(at / params.out, at % params.out); }
}
`,
  },
  shared: {
    product: {
      broken: 'fn product(r: u32, o: u32) -> f32 { return nothing; }\n',
      // five times the work is right, and comes first
      much: sum('params.in', 5),
      once: sum('params.in', 1),
      short: sum('params.in - 1u', 1),
      special: `// requires chromium-experimental-subgroup-matrix\n${sum('params.in', 1)}`,
    },
    helpers: { '': 'fn nothing_uses_this() {}\n' },
  },
}

/** A store in memory that counts. */
function memory(): ChoiceStore & { kept: Map<string, unknown>; recalled: number } {
  const kept = new Map<string, unknown>()
  return {
    kept,
    recalled: 0,
    async recall(key) {
      this.recalled++
      return kept.get(key)
    },
    async keep(key, value) {
      kept.set(key, structuredClone(value))
    },
  }
}

const { create } = await import('webgpu')

test('of variants those count that the adapter has the features for', () => {
  assert.equal(runnable(sources, ['subgroups']), { product: ['broken', 'much', 'once', 'short'] })
  assert.equal(runnable(sources, ['chromium-experimental-subgroup-matrix']).product.length, 5)
  const none = { ...sources, shared: { product: { special: sources.shared.product.special } } }
  assert.throws(() => runnable(none, []), /no variant of product runs on every adapter/)
})

test('a variant or family that is not there is refused with those that are', async () => {
  const say = (given: Record<string, string>) =>
    message(() => checkVariants(given, { product: ['much', 'once'] }))
  assert.is(await say({ product: 'once' }), 'no error')
  assert.match(
    await say({ product: 'more' }),
    /^UsageError: .*product has no variant more on this adapter \(want much, once\)/,
  )
  assert.match(
    await say({ sums: 'once' }),
    /^UsageError: .*there is no family sums with variants \(want product\)/,
  )
})

test('of a store that is broken or of another project nothing is believed', () => {
  const families = { product: ['much', 'once'], sums: ['a'] }
  for (const kept of [
    undefined,
    null,
    'once',
    7,
    [],
    {},
    { product: null },
    { product: 'once' },
    { product: { variant: 'gone' } },
    { product: { variant: 3 } },
    Object.create({ product: { variant: 'once' } }),
  ])
    assert.equal(knownChoices(kept, families), {})
  const kept = { product: { variant: 'once' }, sums: { variant: 'b' }, other: { variant: 'x' } }
  assert.equal(knownChoices(kept, families), { product: 'once' })
})

test('another adapter and other sources have a key of their own', async () => {
  const device = await openWebgpu(create(['backend=null']), sources, { variants: {} })
  const { adapter } = device
  await device.destroy()
  const product = { ...sources.shared.product, once: `${sources.shared.product.once}// changed\n` }
  const keys = await Promise.all([
    choiceKey(adapter, sources),
    choiceKey({ ...adapter, description: 'another driver' }, sources),
    choiceKey(adapter, { ...sources, shared: { ...sources.shared, product } }),
    choiceKey(adapter, { ...sources, files: { linear: `${sources.files.linear}// changed\n` } }),
    choiceKey(structuredClone(adapter), structuredClone(sources)),
  ])
  assert.is(new Set(keys).size, 4)
  assert.is(keys[4], keys[0])
})

test('the real sources have a variant for every adapter, and every family that has a choice is in a kernel that is measured', () => {
  const real = kernelSources()
  const kernels = readKernels(real)
  for (const family of Object.keys(runnable(real, [])))
    assert.ok(
      [...kernels.values()].flat().some(({ families }) => families.includes(family)),
      family,
    )
})

test('where no variant computes what it should, programs get the first and nothing is kept', async () => {
  // the null backend leaves zeros
  const store = memory()
  const device = await openWebgpu(create(['backend=null']), sources, { store, measure: true })
  assert.equal(device.info.properties?.variants, {})
  assert.is(store.kept.size, 0)
  assert.match(device.kernels.get('linear_forward')![0].entries[0].code, /nothing/)
  await device.destroy()
})

test('a store in a folder forgets what is broken, and needs no folder that can be written', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bioalbert-choice-'))
  try {
    const store = fileStore(join(folder, 'webgpu'))
    assert.is(await store.recall('a'), undefined)
    await store.keep('a', { product: { variant: 'once' } })
    assert.equal(await store.recall('a'), { product: { variant: 'once' } })
    writeFileSync(join(folder, 'webgpu', 'a.json'), '{"product"')
    assert.is(await store.recall('a'), undefined)
    writeFileSync(join(folder, 'file'), '')
    const nowhere = fileStore(join(folder, 'file', 'webgpu'))
    await nowhere.keep('a', {})
    assert.is(await nowhere.recall('a'), undefined)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const gpu = create([])
const adapter = await gpu.requestAdapter()
if (!adapter) skip(test, 'choices by measurement', 'there is no adapter')
else {
  /** Opens a device over the made-up sources, and tells its choice and how many kernels were compiled for it. */
  async function open(options: WebgpuOptions, from = sources) {
    let compiled = 0
    const device: WebgpuDevice = await openWebgpu(gpu, from, {
      // or the adapter is known to be one in software
      measure: true,
      ...options,
      compiling: (done) => {
        if (done > 0) compiled++
      },
    })
    const variants = device.info.properties?.variants as Record<string, string>
    const inUse = Object.entries(from.shared.product).find(([, text]) =>
      device.kernels.get('linear_forward')![0].entries[0].code.includes(text),
    )
    const report = device.adapter
    await device.destroy()
    return { variants, inUse: inUse?.[0], compiled, report }
  }
  type Kept = { product: { variant: string; ms: Record<string, number | null> } }

  test('the fastest variant that is right is used and kept, and not measured again', async () => {
    const store = memory()
    const first = await open({ store })
    assert.equal(first.variants, { product: 'once' })
    assert.is(first.inUse, 'once')
    const key = await choiceKey(first.report, sources)
    assert.equal([...store.kept.keys()], [key])
    const { variant, ms } = (store.kept.get(key) as Kept).product
    assert.is(variant, 'once')
    assert.equal(Object.keys(ms), ['broken', 'much', 'once', 'short'])
    assert.equal([ms.broken, ms.short], [null, null])
    assert.ok(ms.once! > 0 && ms.much! > 1.5 * ms.once!, JSON.stringify(ms))
    const again = await open({ store })
    assert.equal(again.variants, { product: 'once' })
    assert.is(again.compiled, 0)
    assert.is(again.inUse, 'once')
    // what is kept is believed, as long as it makes sense
    ;(store.kept.get(key) as { product: { variant: string } }).product.variant = 'much'
    assert.is((await open({ store })).inUse, 'much')
    store.kept.set(key, { product: { variant: 'gone' } })
    const anew = await open({ store })
    assert.equal(anew.variants, { product: 'once' })
    assert.ok(anew.compiled > 0)
    assert.is((store.kept.get(key) as Kept).product.variant, 'once')
  })

  test('a choice that is given is taken without measuring, and one that is not known is the first if nothing may be measured', async () => {
    const store = memory()
    const given = await open({ store, variants: { product: 'much' } })
    assert.equal([given.inUse, given.compiled, given.variants], ['much', 0, { product: 'much' }])
    const first = await open({ store, variants: {} })
    assert.equal([first.inUse, first.compiled], ['broken', 0])
    assert.is(store.recalled, 0)
    // of an adapter in software what is marked is known, and else the first
    const unknown = await open({ store, measure: false })
    assert.equal([unknown.inUse, unknown.compiled, unknown.variants], ['broken', 0, { product: 'broken' }])
    const product = {
      ...sources.shared.product,
      once: `// suits adapters in software\n${sources.shared.product.once}`,
    }
    const marked = await open(
      { store, measure: undefined },
      { ...sources, shared: { ...sources.shared, product } },
    )
    assert.equal([marked.inUse, marked.compiled, marked.variants], ['once', 0, { product: 'once' }])
    assert.is(store.kept.size, 0)
    assert.match(await message(() => open({ variants: { product: 'all' } })), /^UsageError: .*no variant all/)
  })

  test('in Node the environment gives variants, and an adapter in software is not measured', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bioalbert-choice-'))
    const before = { ...process.env }
    try {
      process.env.BIOALBERT_CACHE = folder
      process.env.BIOALBERT_WEBGPU_VARIANTS = 'nonsense=all'
      assert.match(await message(() => openWebgpuInNode()), /^UsageError: .*no family nonsense/)
      delete process.env.BIOALBERT_WEBGPU_VARIANTS
      const device = await openWebgpuInNode()
      const { variants } = device.info.properties as { variants: Record<string, string> }
      await device.destroy()
      const families = Object.entries(runnable(kernelSources(), device.adapter.features))
      const open = families.filter(([, names]) => names.length > 1).map(([family]) => family)
      assert.equal(Object.keys(variants), open)
      // an adapter in software gets what is marked as its own, without a measurement
      assert.ok(device.adapter.isSoftware)
      assert.is(variants.product, 'registers_quad')
      assert.is(variants.rows, 'invocation')
      assert.not(existsSync(join(folder, 'webgpu')))
    } finally {
      process.env.BIOALBERT_CACHE = before.BIOALBERT_CACHE ?? ''
      process.env.BIOALBERT_WEBGPU_VARIANTS = before.BIOALBERT_WEBGPU_VARIANTS ?? ''
      rmSync(folder, { recursive: true })
    }
  })
}

test.run()
