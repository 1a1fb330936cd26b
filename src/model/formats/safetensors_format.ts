/**
 * The safetensors format: 8 bytes of little-endian header length n, n bytes of JSON
 * ({name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {text: text}}), then the data, row-major
 * and little-endian, without holes. Reading checks the header against the size before anything is handed out and
 * fetches a tensor only when asked for. Needs nothing of Node: bytes come from a `ByteSource`; safetensors.ts has files.
 * Source: https://github.com/huggingface/safetensors#format.
 */
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'
import {
  ELEMENT_BYTES,
  type ElementType,
  LazyTensor,
  product,
  type StoredTensor,
  type WeightsFile,
} from './weights_file.js'

export type TensorData = Float32Array | Int32Array | Uint8Array | BigInt64Array | Float64Array

/** What is written: F32, I32, U8, I64 or F64 by the type of `data`. */
export interface TensorToWrite {
  shape: readonly number[]
  /** The values, or what fetches them when their turn comes, so that never more than one need be in memory. */
  data: TensorData | (() => TensorData | Promise<TensorData>)
  /** Needed only where `data` is a function; F32 by default. */
  dtype?: 'F32' | 'I32' | 'U8' | 'I64' | 'F64'
}

/** Larger headers are refused, as by the reference implementation. */
const headerLimit = 100_000_000

/**
 * Checks the header of a safetensors file against its size.
 * @throws InputError where the file is truncated or foreign, or its header contradicts itself or the file.
 */
export function parseSafetensors(source: ByteSource): WeightsFile {
  const { path } = source
  const { header, dataStart, dataBytes } = readHeader(source)
  const refuse = (found: string, expected: string): never => {
    throw new InputError({ file: path, found, expected })
  }
  const metadata = new Map<string, string>()
  const spans: { name: string; dtype: ElementType; shape: number[]; begin: number; end: number }[] = []
  for (const [name, entry] of Object.entries(header)) {
    if (!isObject(entry)) return refuse(`header entry '${name}' that is no object`, 'a tensor description')
    if (name === '__metadata__') {
      for (const [key, value] of Object.entries(entry)) {
        if (typeof value !== 'string') return refuse(`metadata '${key}' that is no text`, 'text')
        metadata.set(key, value)
      }
      continue
    }
    const { dtype, shape, data_offsets: offsets } = entry
    if (typeof dtype !== 'string' || !Object.hasOwn(ELEMENT_BYTES, dtype)) {
      return refuse(
        `tensor '${name}' of type ${JSON.stringify(dtype)}`,
        Object.keys(ELEMENT_BYTES).join(', '),
      )
    }
    if (!isCounts(shape)) {
      return refuse(`tensor '${name}' of shape ${JSON.stringify(shape)}`, 'an array of whole numbers from 0')
    }
    if (!isCounts(offsets) || offsets.length !== 2) {
      return refuse(`tensor '${name}' with data_offsets ${JSON.stringify(offsets)}`, '[begin, end]')
    }
    const [begin, end] = offsets
    const known = dtype as ElementType
    const bytes = product(shape) * ELEMENT_BYTES[known]
    if (end - begin !== bytes) {
      return refuse(
        `tensor '${name}', ${dtype} [${shape}], with data_offsets [${begin}, ${end}]`,
        `${bytes} bytes for that shape`,
      )
    }
    spans.push({ name, dtype: known, shape, begin, end })
  }
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let reached = 0
  for (const { name, begin, end } of spans) {
    if (begin !== reached) {
      const what = begin < reached ? 'overlapping the tensor before it' : 'leaving a hole before it'
      return refuse(`tensor '${name}' at byte ${begin} of the data, ${what}`, `byte ${reached}`)
    }
    reached = end
  }
  if (reached !== dataBytes) {
    const what = dataBytes < reached ? 'a truncated file' : 'bytes after the last tensor'
    return refuse(`${dataBytes} bytes of data (${what})`, `${reached} bytes, as the header says`)
  }
  const tensors = new Map<string, StoredTensor>()
  for (const { name, dtype, shape, begin } of spans) {
    const read = (target: Uint8Array) => source.read(target, dataStart + begin)
    tensors.set(name, new LazyTensor({ path, name, dtype, shape, read }))
  }
  return { path, tensors, metadata }
}

/** The parsed header, where the data starts in the file, and how many bytes of data there are. */
function readHeader(source: ByteSource): {
  header: Record<string, unknown>
  dataStart: number
  dataBytes: number
} {
  const { path, size } = source
  const refuse = (found: string, expected = 'a safetensors file'): never => {
    throw new InputError({ file: path, found, expected })
  }
  if (size < 10) return refuse(`${size} bytes`, 'a safetensors file of 10 bytes or more')
  const prefix = new Uint8Array(8)
  source.read(prefix, 0)
  const length = new DataView(prefix.buffer).getBigUint64(0, true)
  if (prefix[0] === 0x50 && prefix[1] === 0x4b && prefix[2] === 3 && prefix[3] === 4) {
    return refuse("a zip archive (such as PyTorch's .bin or .pt)")
  }
  if (length < 2n || length > BigInt(headerLimit) || length > BigInt(size - 8)) {
    return refuse(
      `a header length of ${length} in a file of ${size} bytes`,
      'a safetensors file (foreign or truncated)',
    )
  }
  const bytes = new Uint8Array(Number(length))
  source.read(bytes, 8)
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return refuse('a header that is no JSON', 'a safetensors file')
  }
  if (!isObject(header)) return refuse('a header that is no JSON object')
  return { header, dataStart: 8 + bytes.length, dataBytes: size - 8 - bytes.length }
}

/** A file to be written: its header, and its tensors in the order of their data. */
export interface SafetensorsPlan {
  readonly header: Uint8Array
  readonly tensors: readonly PlannedTensor[]
  /** Of the whole file. */
  readonly bytes: number
}

export interface PlannedTensor {
  readonly bytes: number
  /** The bytes of the tensor. Rejects with a RangeError where data and shape disagree. */
  content(): Promise<Uint8Array>
}

/**
 * Lays a file out. transformers wants `metadata.format`, hence the default. Larger element types come first, so that every
 * tensor is aligned. `path` is what errors call the file.
 * @throws RangeError where two tensors have one name.
 */
export function planSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: TensorToWrite]>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): SafetensorsPlan {
  const plan = [...tensors].map(([name, { shape, data, dtype }]) => {
    const type = typeof data === 'function' ? (dtype ?? 'F32') : dtypeOf(data)
    return { name, shape, data, type, bytes: product(shape) * ELEMENT_BYTES[type] }
  })
  plan.sort((a, b) => ELEMENT_BYTES[b.type] - ELEMENT_BYTES[a.type])
  const entries: [string, unknown][] = [['__metadata__', metadata]]
  let end = 0
  for (const { name, shape, type, bytes } of plan) {
    entries.push([name, { dtype: type, shape, data_offsets: [end, end + bytes] }])
    end += bytes
  }
  const json = Object.fromEntries(entries)
  if (Object.keys(json).length !== entries.length) throw new RangeError(`${path}: two tensors of one name`)
  const text = new TextEncoder().encode(JSON.stringify(json))
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(text, 8)
  return {
    header,
    bytes: header.length + end,
    tensors: plan.map(({ name, shape, data, type, bytes }) => ({
      bytes,
      async content() {
        const values = typeof data === 'function' ? await data() : data
        if (dtypeOf(values) !== type || values.byteLength !== bytes) {
          const got = `${values.length} values of ${dtypeOf(values)}`
          throw new RangeError(`${path}: '${name}' is ${got}, want ${type} [${shape}]`)
        }
        return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      },
    })),
  }
}

/** A whole file in memory, as `planSafetensors` lays it out. */
export async function encodeSafetensors(
  ...[path, tensors, metadata]: Parameters<typeof planSafetensors>
): Promise<Uint8Array> {
  const plan = planSafetensors(path, tensors, metadata)
  const bytes = new Uint8Array(plan.bytes)
  bytes.set(plan.header)
  let at = plan.header.length
  for (const tensor of plan.tensors) {
    bytes.set(await tensor.content(), at)
    at += tensor.bytes
  }
  return bytes
}

function dtypeOf(data: TensorData): NonNullable<TensorToWrite['dtype']> {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Int32Array) return 'I32'
  if (data instanceof Uint8Array) return 'U8'
  return data instanceof BigInt64Array ? 'I64' : 'F64'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}
