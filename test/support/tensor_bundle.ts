/**
 * Checkpoints of TensorFlow written by hand, in memory: a second implementation of the table and of the messages, with
 * everything changeable, so that broken and hostile ones can be sealed with right checksums. Blocks are small on purpose.
 */

/** A bit at a time, unlike the code under test. */
export function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc = (crc ^ byte) >>> 0
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1) >>> 0
  }
  return (crc ^ 0xffffffff) >>> 0
}

function masked(bytes: Uint8Array): number {
  const crc = BigInt(slowCrc32c(bytes))
  return Number((((crc >> 15n) | (crc << 17n)) + 0xa282ead8n) & 0xffffffffn)
}

export function varint(value: number | bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

function fixed32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]
}

/** One entry of a block; `shared` bytes of the key are left to the entry before. */
export function blockEntry(shared: number, own: Uint8Array | string, value: ArrayLike<number>): number[] {
  const key = typeof own === 'string' ? new TextEncoder().encode(own) : own
  return [...varint(shared), ...varint(key.length), ...varint(value.length), ...key, ...Array.from(value)]
}

/** A block as one restart point sees it. */
export function block(entries: readonly number[][]): number[] {
  return [...entries.flat(), ...fixed32(0), ...fixed32(1)]
}

/** A table of these blocks of entries. `list` replaces the block that lists them, `compression` is what the trailers say. */
export function table(
  blocks: readonly ArrayLike<number>[],
  { list, compression = 0 }: { list?: ArrayLike<number>; compression?: number } = {},
): Uint8Array {
  const bytes: number[] = []
  const append = (content: ArrayLike<number>): number[] => {
    const handle = [...varint(bytes.length), ...varint(content.length)]
    const sealed = [...Array.from(content), compression]
    for (const byte of sealed) bytes.push(byte)
    bytes.push(...fixed32(masked(Uint8Array.from(sealed))))
    return handle
  }
  const handles = blocks.map(append)
  const meta = append(block([]))
  const keys = handles.map((handle, i) => blockEntry(0, Uint8Array.of(128 + i), handle))
  const index = append(list ?? block(keys))
  const footer = [...meta, ...index]
  while (footer.length < 40) footer.push(0)
  return Uint8Array.from([...bytes, ...footer, 0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb])
}

/** The header of a bundle. */
export function header({ shards = 1, endianness = 0, minConsumer = 0 } = {}): number[] {
  return [8, ...varint(shards), 16, ...varint(endianness), 26, 4, 8, 1, 16, ...varint(minConsumer)]
}

export interface Described {
  dtype?: number
  shape: readonly (number | bigint)[]
  shard?: number
  offset: number | bigint
  size: number | bigint
  crc?: number
  slices?: number
}

/** The description of a variable. */
export function description({
  dtype = 1,
  shape,
  shard = 0,
  offset,
  size,
  crc = 0,
  slices = 0,
}: Described): number[] {
  const dims = shape.flatMap((n) => {
    const dim = [8, ...varint(n)]
    return [18, ...varint(dim.length), ...dim]
  })
  return [
    ...[8, ...varint(dtype), 18, ...varint(dims.length), ...dims, 24, ...varint(shard)],
    ...[32, ...varint(offset), 40, ...varint(size), 53, ...fixed32(crc)],
    ...Array.from({ length: slices }, () => [58, 0]).flat(),
  ]
}

/** A checkpoint of f32 variables in one shard, `perBlock` entries a block, by the suffix of each file. */
export function bundle(
  variables: Readonly<Record<string, { shape: readonly number[]; data: Float32Array }>>,
  perBlock = 3,
): { '.index': Uint8Array; '.data-00000-of-00001': Uint8Array } {
  const parts: Uint8Array[] = []
  let offset = 0
  const entries: [string, number[]][] = [['', header()]]
  for (const [name, { shape, data }] of Object.entries(variables)) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    entries.push([name, description({ shape, offset, size: bytes.length, crc: masked(bytes) })])
    parts.push(bytes)
    offset += bytes.length
  }
  entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const blocks: number[][] = []
  for (let i = 0; i < entries.length; i += perBlock)
    blocks.push(block(entries.slice(i, i + perBlock).map(([name, value]) => blockEntry(0, name, value))))
  return { '.index': table(blocks), '.data-00000-of-00001': Buffer.concat(parts) }
}
