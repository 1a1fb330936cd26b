/**
 * The inner loops of AArch64 assembly, as GCC and Clang print it, that multiply and add vectors: what a pass of each executes.
 * A loop reaches from a label to the last branch back to it; loops around other loops are left out.
 */
export type Kind = 'f32' | 'bf16' | 'int8'

export interface Loop {
  /** Symbol of the function, as it stands in the assembly. */
  symbol: string
  label: string
  /** One pass, the branch back included. */
  instructions: string[]
  kind: Kind
  /** Instructions that multiply and add vectors. */
  products: number
  /** Products of two numbers, all lanes counted. */
  multiplyAdds: number
  /** Registers that sums stand in. */
  sums: number
  /** The most products that one register takes up in a pass, one after the other. */
  chain: number
  /** Instructions that load vectors, and vectors that the loop must load: all that products read and a pass writes. */
  loads: number
  operands: number
  stores: number
  /** Vectors that are stored. */
  stored: number
  /** Loads and stores of the stack. */
  spills: number
  /** Arithmetic of vectors beside products: broadcasts, conversions. Moves are not counted. */
  otherVector: number
}

/** Multiply-adds of one instruction, by what it is and how its result is arranged; undefined for all others. */
export function productOf(instruction: string): { kind: Kind; multiplyAdds: number } | undefined {
  const [, name, lanes, width] = /^(\w+)\s+v\d+\.(\d+)([bhsd])\b/.exec(instruction) ?? []
  if (name === undefined) return undefined
  const n = Number(lanes)
  if (/^(fmla|fmls)$/.test(name) && width === 's') return { kind: 'f32', multiplyAdds: n }
  if (name === 'bfmmla') return { kind: 'bf16', multiplyAdds: 16 }
  if (name === 'bfdot') return { kind: 'bf16', multiplyAdds: 2 * n }
  if (/^bfmlal[bt]$/.test(name)) return { kind: 'bf16', multiplyAdds: n }
  if (/^(s|u|us)mmla$/.test(name)) return { kind: 'int8', multiplyAdds: 32 }
  if (/^(s|u|us|su)dot$/.test(name)) return { kind: 'int8', multiplyAdds: 4 * n }
  if (/^[su]mlal2?$/.test(name) && width === 's') return { kind: 'int8', multiplyAdds: n }
  return undefined
}

/** Every inner loop that multiplies and adds vectors, in the order of the text. */
export function innerLoops(assembly: string): Loop[] {
  const loops: Loop[] = []
  let symbol = ''
  let body: { text: string; labels: string[] }[] = []
  let labels: string[] = []
  const finish = () => {
    if (symbol !== '') loops.push(...loopsOf(symbol, body))
    body = []
    labels = []
  }
  const functions = new Set(
    [...assembly.matchAll(/^\s*\.type\s+([^,\s]+),\s*[%@]function/gm)].map((m) => m[1]),
  )
  for (const line of assembly.split('\n')) {
    const text = line.replace(/\/\/.*$/, '').trim()
    const label = /^([^\s:]+):$/.exec(text)?.[1]
    if (label !== undefined && functions.has(label)) {
      finish()
      symbol = label
    } else if (label !== undefined) labels.push(label)
    else if (text !== '' && !text.startsWith('.') && !text.startsWith('#')) {
      body.push({ text: text.replace(/\s+/g, ' '), labels })
      labels = []
    }
  }
  finish()
  return loops
}

function loopsOf(symbol: string, body: readonly { text: string; labels: string[] }[]): Loop[] {
  const place = new Map(body.flatMap(({ labels }, i) => labels.map((label) => [label, i] as const)))
  const last = new Map<number, { end: number; label: string }>()
  body.forEach(({ text }, end) => {
    const label =
      /^(?:b|b\.\w+|b(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|any)|cbn?z .*|tbn?z .*) ?(\S+)$/.exec(
        text,
      )?.[1]
    const start = label === undefined ? undefined : place.get(label)
    if (start !== undefined && start <= end) last.set(start, { end, label: label! })
  })
  const ranges = [...last].map(([start, { end, label }]) => ({ start, end, label }))
  return ranges
    .filter(
      (outer) =>
        !ranges.some((inner) => inner !== outer && inner.start >= outer.start && inner.end <= outer.end),
    )
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, label }) =>
      measure(
        symbol,
        label,
        body.slice(start, end + 1).map(({ text }) => text),
      ),
    )
    .filter((loop): loop is Loop => loop !== undefined)
}

/** Number of the vector register that a word names. */
const vector = (word: string): number | undefined => {
  const number = /^\{?\s*[vqds](\d+)\b/.exec(word.trim())?.[1]
  return number === undefined ? undefined : Number(number)
}

function measure(symbol: string, label: string, instructions: string[]): Loop | undefined {
  const loop = { loads: 0, stores: 0, stored: 0, spills: 0, products: 0, multiplyAdds: 0, otherVector: 0 }
  const kinds = new Map<Kind, number>()
  const sums = new Map<number, number>()
  // which value each register holds: those of the pass before have numbers below 32
  const holds = Array.from({ length: 32 }, (_, register) => register)
  let next = 32
  const read = new Set<number>()
  const written = new Set<number>()
  const put = (register: number | undefined, value = next++) => {
    if (register === undefined) return
    holds[register] = value
    written.add(register)
  }
  for (const text of instructions) {
    const [name, ...rest] = text.split(' ')
    const words = rest.join(' ').split(/,(?![^[{]*[\]}])/)
    if (/\[(sp|x29)\b/.test(text) && /^(ld|st)/.test(name)) loop.spills++
    const product = productOf(text)
    if (product !== undefined) {
      loop.products++
      loop.multiplyAdds += product.multiplyAdds
      kinds.set(product.kind, (kinds.get(product.kind) ?? 0) + 1)
      const [to, a, b] = words.map(vector)
      for (const register of [a, b]) if (register !== undefined) read.add(holds[register])
      sums.set(to!, (sums.get(to!) ?? 0) + 1)
      put(to)
    } else if (/^ld/.test(name)) {
      const registers = [...text.replace(/\[.*$/, '').matchAll(/\b[vqds](\d+)\b/g)].map((m) => Number(m[1]))
      if (registers.length > 0) loop.loads++
      for (const register of registers) put(register)
    } else if (/^st/.test(name)) {
      loop.stores++
      loop.stored += [...text.replace(/\[.*$/, '').matchAll(/\b[vqds]\d+\b/g)].length
    } else if (vector(words[0] ?? '') !== undefined) {
      const from = /^mov v\d+\.16b, v(\d+)\.16b$/.exec(text)?.[1]
      if (from === undefined) {
        loop.otherVector++
        put(vector(words[0]))
      } else put(vector(words[0]), holds[Number(from)])
    }
  }
  if (loop.products === 0) return undefined
  const [kind] = [...kinds].sort((a, b) => b[1] - a[1])[0]
  // a value from before the loop that no pass writes over is loaded once for all
  const operands = [...read].filter((value) => value >= 32 || written.has(value)).length
  const accumulators = [...sums.keys()]
  return {
    symbol,
    label,
    instructions,
    kind,
    ...loop,
    sums: accumulators.length,
    chain: Math.max(...sums.values()),
    operands,
  }
}

/** Instructions of a vector multiply-add, the whole loop counted. */
export function overhead(loop: Loop): number {
  return loop.instructions.length / loop.products
}

/** The least that its block of registers allows: the product, and its share of the loads, two vectors in an instruction. */
export function leastOverhead(loop: Loop): number {
  return 1 + Math.ceil(loop.operands / 2) / loop.products
}

/** Of the loops of each kind the one with the largest block of sums: what products spend their time in. */
export function mainLoops(loops: readonly Loop[]): Loop[] {
  const main = new Map<Kind, Loop>()
  for (const loop of loops) {
    const best = main.get(loop.kind)
    const larger = best === undefined ? 1 : loop.sums - best.sums || loop.products - best.products
    if (larger > 0) main.set(loop.kind, loop)
  }
  return [...main.values()]
}
