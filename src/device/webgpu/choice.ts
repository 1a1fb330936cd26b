/**
 * Which variant of shared WGSL code an adapter gets. Of a family with several that it can run, each is tried on kernels that stand
 * for the family (workloads.ts): first whether it computes what it should, then for how long. What was found is kept by
 * adapter and sources. A family for which no kernel stands gets its first variant. Adapters in software get what is marked as
 * theirs: to measure would take them minutes, and the answer is known.
 */
import { UsageError } from '../../error.js'
import type { Device } from '../device.js'
import { fromHalf } from '../half.js'
import type { Program } from '../program.js'
import type { AdapterReport } from './adapter.js'
import {
  type KernelSources,
  matrixConstants,
  suitsSoftware,
  type Variants,
  variantFeatures,
  variantNames,
  type WgslKernel,
} from './source.js'
import type { Workload } from './workload.js'
import { LEVELS, REPRESENTATIVES } from './workloads.js'

/** Where choices outlive the process or page. Neither function fails: what is lost is measured again. */
export interface ChoiceStore {
  recall(key: string): Promise<unknown>
  keep(key: string, value: unknown): Promise<void>
}

/** A device whose kernels can be made of other variants. */
export interface Chooser extends Device {
  readonly kernels: ReadonlyMap<string, readonly WgslKernel[]>
  readonly isLost: boolean
  use(variants: Variants): void
}

/** Milliseconds of a timed run: so many tell enough, and a single run of a shape should take no more than so many. */
const ENOUGH = 10
const LONG = 40
/** Milliseconds after which no further pass over the variants is begun. */
const MOST = 500
const PASSES = 3
const MOST_REPEATS = 64
/** Errors relative to the largest result: sums of f32 stay far below, sums of f16 and products of rounded f32 do not. */
const TOLERANCE = 2e-5
/** What storing a result as f16 adds, relative to it. */
const HALF_ROUNDING = 2 ** -11
const SAMPLES = 200

/** The variants of every family that has a choice of names, those that an adapter with these features and matrices can run. */
export function runnable(
  { shared }: KernelSources,
  features: readonly string[],
  matrices: readonly string[] = [],
): Record<string, readonly string[]> {
  const families: Record<string, readonly string[]> = {}
  for (const [family, variants] of Object.entries(shared)) {
    const names = variantNames(variants)
    if (names.length === 1 && names[0] === '') continue
    families[family] = names.filter(
      (name) =>
        variantFeatures(variants[name]).every((feature) => features.includes(feature)) &&
        matrixConstants(variants[name], matrices) !== undefined,
    )
    if (families[family].length === 0) throw new Error(`no variant of ${family} runs on every adapter`)
  }
  return families
}

/** The first variant of each family. */
export function firstVariants(families: Readonly<Record<string, readonly string[]>>): Variants {
  return Object.fromEntries(Object.entries(families).map(([family, [first]]) => [family, first]))
}

/** Throws a UsageError unless every variant is there and runs on the adapter. */
export function checkVariants(
  given: Variants,
  families: Readonly<Record<string, readonly string[]>>,
): Variants {
  for (const [family, variant] of Object.entries(given)) {
    const known = families[family]
    if (!known)
      throw new UsageError(
        `WGSL variants: there is no family ${family} with variants (want ${Object.keys(families).join(', ') || 'none'})`,
      )
    if (!known.includes(variant))
      throw new UsageError(
        `WGSL variants: ${family} has no variant ${variant} on this adapter (want ${known.join(', ')})`,
      )
  }
  return given
}

/** What a store keeps of a family. */
interface Found {
  readonly variant: string
  /** Milliseconds of one run of the kernels that stand for the family; null where a variant was not right. */
  readonly ms: Readonly<Record<string, number | null>>
}

/** Adapter and sources in one name. */
export async function choiceKey(adapter: AdapterReport, sources: KernelSources): Promise<string> {
  const text = JSON.stringify([adapter, sources])
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What a store had, as far as it makes sense: of a broken or foreign one nothing is left. */
export function knownChoices(kept: unknown, families: Readonly<Record<string, readonly string[]>>): Variants {
  if (typeof kept !== 'object' || kept === null) return {}
  const found = kept as Readonly<Record<string, Partial<Found> | null | undefined>>
  const known: Record<string, string> = {}
  for (const [family, variants] of Object.entries(families)) {
    const variant = Object.hasOwn(found, family) ? found[family]?.variant : undefined
    if (typeof variant === 'string' && variants.includes(variant)) known[family] = variant
  }
  return known
}

/** Of every family the variant for adapters in software, or the first. */
function softwareVariants(
  { shared }: KernelSources,
  families: Readonly<Record<string, readonly string[]>>,
): Variants {
  return Object.fromEntries(
    Object.entries(families).map(([family, names]) => [
      family,
      names.find((name) => suitsSoftware(shared[family][name])) ?? names[0],
    ]),
  )
}

/**
 * The variants for the adapter of `device`: those that a store knows, and of other families with a choice those that are measured
 * now, unless `measure` is false: then these are left out. On adapters in software nothing is measured unless `measure` is true. The device is left with the variants in use.
 */
export async function chooseVariants(
  device: Chooser,
  adapter: AdapterReport,
  sources: KernelSources,
  { store, measure }: { readonly store?: ChoiceStore; readonly measure?: boolean },
): Promise<Variants> {
  const families = runnable(sources, adapter.features, adapter.subgroupMatrices)
  const open = Object.entries(families).filter(([, variants]) => variants.length > 1)
  if (open.length === 0) return {}
  if (adapter.isSoftware && measure !== true) {
    device.use(softwareVariants(sources, families))
    return softwareVariants(sources, Object.fromEntries(open))
  }
  const key = await choiceKey(adapter, sources)
  const kept = await store?.recall(key)
  const chosen: Record<string, string> = { ...knownChoices(kept, Object.fromEntries(open)) }
  const use = () => device.use({ ...firstVariants(families), ...chosen })
  use()
  const missing = usedFirst(sources, open).filter(([family]) => chosen[family] === undefined)
  if (measure === false || missing.length === 0) return chosen
  const all: Record<string, Found> = {}
  for (const [family, variants] of missing) {
    const found = await measureFamily(device, family, variants, { ...firstVariants(families), ...chosen })
    if (found) {
      all[family] = found
      chosen[family] = found.variant
    }
    use()
  }
  if (Object.keys(all).length === 0) return chosen
  const before = Object.fromEntries(Object.keys(chosen).map((family) => [family, (kept as never)?.[family]]))
  await store?.keep(key, { ...before, ...all })
  return chosen
}

/** Families in an order in which those that variants of others use come before these. */
function usedFirst<T>({ shared }: KernelSources, families: readonly [string, T][]): [string, T][] {
  const order: string[] = []
  const visit = (family: string) => {
    if (order.includes(family)) return
    for (const text of Object.values(shared[family] ?? {}))
      for (const [, names] of text.matchAll(/^\/\/ uses (.+)$/gm))
        for (const name of names.split(',')) visit(name.trim())
    order.push(family)
  }
  for (const [family] of families) visit(family)
  return [...families].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
}

async function measureFamily(
  device: Chooser,
  family: string,
  variants: readonly string[],
  others: Variants,
): Promise<Found | undefined> {
  const forms = (kernel: string) => device.kernels.get(kernel) ?? []
  const measured = REPRESENTATIVES.filter(
    ({ kernel, family: only = family }) =>
      only === family && forms(kernel).some(({ families }) => families.includes(family)),
  )
  if (measured.length === 0) return undefined
  const begin = performance.now()
  const right: string[] = []
  const ms: Record<string, number | null> = {}
  const withVariant = async <T>(variant: string, work: () => Promise<T>): Promise<T> => {
    device.use({ ...others, [family]: variant })
    try {
      return await work()
    } catch (error) {
      if (!device.isLost) throw error
      throw new UsageError(
        `${(error as Error).message} (while variant ${variant} of ${family} was tried; BIOALBERT_WEBGPU_VARIANTS chooses another)`,
      )
    }
  }
  for (const variant of variants) {
    ms[variant] = null
    const isRight = await withVariant(variant, async () => {
      for (const { kernel, judged } of measured)
        for (const make of judged) if (!(await computes(device, { kernel, ...make() }))) return false
      return true
    })
    if (isRight) right.push(variant)
  }
  // where none is right there is nothing to choose by, and programs tell what is wrong with the first
  if (right.length === 0) return undefined
  // the largest shape that the first of them gets through in time
  let once = Number.POSITIVE_INFINITY
  let workloads: KernelWork[] = []
  for (let level = 0; level < LEVELS; level++) {
    const more = Math.max(
      ...measured.map(({ timed }) => timed[level].operations / timed[Math.max(0, level - 1)].operations),
    )
    // what takes a moment is mostly not the kernel, and tells nothing of larger shapes
    if (level > 0 && once > 1 && once * more > LONG) break
    workloads = measured.map(({ kernel, timed }) => ({ kernel, ...timed[level].make() }))
    once = await withVariant(right[0], () => time(device, workloads, 1))
  }
  const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.ceil(ENOUGH / Math.max(once, 0.01))))
  for (let pass = 0; pass < PASSES; pass++) {
    if (pass > 0 && performance.now() - begin > MOST) break
    for (const variant of right) {
      const took = await withVariant(variant, () => time(device, workloads, repeats))
      ms[variant] = Math.min(ms[variant] ?? Number.POSITIVE_INFINITY, took)
    }
  }
  const variant = right.reduce((best, next) => (ms[next]! < ms[best]! ? next : best))
  return { variant, ms }
}

type KernelWork = Workload & { readonly kernel: string }

/** A program of `repeats` calls of each workload, with the arena that holds their buffers. */
function programOf(device: Chooser, workloads: readonly KernelWork[], repeats: number) {
  let bytes = 0
  const calls = workloads.map(({ kernel, buffers, params: values }) => {
    const [{ params }] = device.kernels.get(kernel)!
    const refs = buffers.map(({ data }) => {
      const ref = { arena: 0, offset: bytes, bytes: data.byteLength, stride: 0, shift: 0, modulo: 1 }
      bytes = Math.ceil((bytes + data.byteLength) / device.alignment) * device.alignment
      return ref
    })
    return {
      kind: 'call' as const,
      kernel: { name: kernel, buffers, params },
      refs,
      params: params.map(({ name }) => values[name]),
      label: kernel,
    }
  })
  const program: Program = {
    name: 'choice of variants',
    arenas: [{ name: 'choice of variants', bytes }],
    scalars: [],
    steps: [{ kind: 'repeat', count: repeats, reverse: false, body: calls }],
  }
  return { program, calls, bytes }
}

/** Does work with a program whose buffers hold their numbers, and frees what it needed. */
async function withProgram<T>(
  device: Chooser,
  workloads: readonly KernelWork[],
  repeats: number,
  work: (run: () => Promise<void>, read: (slot: number) => Promise<ArrayBuffer>) => Promise<T>,
): Promise<T> {
  const { program, calls, bytes } = programOf(device, workloads, repeats)
  const arena = device.alloc(bytes, program.name)
  try {
    const prepared = device.prepare(program, [arena])
    for (const [w, { buffers }] of workloads.entries())
      for (const [k, { data }] of buffers.entries()) await device.write(arena, calls[w].refs[k].offset, data)
    return await work(
      () => device.run(prepared, {}),
      (slot) => device.read(arena, calls[0].refs[slot].offset, calls[0].refs[slot].bytes),
    )
  } finally {
    device.free(arena)
  }
}

/** Whether a kernel computes what it should; one that does not run at all does not. */
async function computes(device: Chooser, workload: KernelWork): Promise<boolean> {
  const output = workload.buffers.findIndex(({ name }) => name === workload.output)
  const isHalf = workload.buffers[output].data instanceof Uint16Array
  let got: Float32Array
  try {
    const bytes = await withProgram(device, [workload], 1, async (run, read) => {
      await run()
      return read(output)
    })
    got = isHalf ? fromHalf(new Uint16Array(bytes), 'f16') : new Float32Array(bytes)
  } catch (error) {
    if (device.isLost) throw error
    return false
  }
  let [largest, error] = [0, 0]
  for (let s = 0; s <= SAMPLES; s++) {
    // the last elements are where tiles are not full
    const index = Math.floor((s / SAMPLES) * (got.length - 1))
    const want = workload.expected(index)
    largest = Math.max(largest, Math.abs(want))
    error = Math.max(error, Math.abs(got[index] - want) - (isHalf ? HALF_ROUNDING * Math.abs(want) : 0))
    if (Number.isNaN(got[index])) return false
  }
  return error <= TOLERANCE * largest
}

/** Milliseconds of one call of each workload: the clock of the host around a run that is warm. */
async function time(device: Chooser, workloads: readonly KernelWork[], repeats: number): Promise<number> {
  return withProgram(device, workloads, repeats, async (run) => {
    await run()
    const begin = performance.now()
    await run()
    return (performance.now() - begin) / repeats
  })
}
