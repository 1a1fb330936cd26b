/**
 * The safetensors format: 8 bytes of little-endian header length n, n bytes of JSON
 * ({name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {text: text}}), then the data, row-major
 * and little-endian, without holes. Reading checks the header against the file before anything is handed out
 * and fetches a tensor only when asked for; writing streams and is atomic (temporary name, fsync, rename).
 * Source: https://github.com/huggingface/safetensors#format. Called by checkpoints, import and export.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { InputError } from '../error.js'
import { writeWholeAsync } from '../files.js'

/** Element types that are read, with their size in bytes. */
const sizes = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const

export type SafetensorsDtype = keyof typeof sizes

/** One tensor of an open file. The accessors read the file anew at each call and keep nothing. */
export interface StoredTensor {
  readonly name: string
  readonly dtype: SafetensorsDtype
  /** Row-major; empty for a scalar. */
  readonly shape: readonly number[]
  /** Number of elements. */
  readonly count: number
  readonly byteLength: number
  /** The raw little-endian bytes. */
  bytes(): Uint8Array
  /**
   * The values as float32, from F64, F32, F16 or BF16 (any other type is an InputError). With `into`, of length
   * `count`, they are written there and `into` is returned.
   */
  float32(into?: Float32Array): Float32Array
  /** The values as int32, from any integer type or BOOL; an InputError where one does not fit. */
  int32(): Int32Array
}

export interface SafetensorsFile {
  readonly path: string
  /** In the order of their data in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly metadata: ReadonlyMap<string, string>
}

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
/** One system call reads or writes at most this many bytes (Node refuses 2 GiB and more). */
const chunkBytes = 1 << 26

/**
 * Reads and checks the header of a safetensors file.
 * @throws InputError where the file is missing, truncated or foreign, or its header contradicts itself or the file.
 */
export function readSafetensors(path: string): SafetensorsFile {
  const { header, dataStart, dataBytes } = readHeader(path)
  const refuse = (found: string, expected: string): never => {
    throw new InputError({ file: path, found, expected })
  }
  const metadata = new Map<string, string>()
  const spans: { name: string; dtype: SafetensorsDtype; shape: number[]; begin: number; end: number }[] = []
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
    if (typeof dtype !== 'string' || !Object.hasOwn(sizes, dtype)) {
      return refuse(`tensor '${name}' of type ${JSON.stringify(dtype)}`, Object.keys(sizes).join(', '))
    }
    if (!isCounts(shape)) {
      return refuse(`tensor '${name}' of shape ${JSON.stringify(shape)}`, 'an array of whole numbers from 0')
    }
    if (!isCounts(offsets) || offsets.length !== 2) {
      return refuse(`tensor '${name}' with data_offsets ${JSON.stringify(offsets)}`, '[begin, end]')
    }
    const [begin, end] = offsets
    const known = dtype as SafetensorsDtype
    const bytes = product(shape) * sizes[known]
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
    tensors.set(name, new FileTensor(path, name, dtype, shape, dataStart + begin))
  }
  return { path, tensors, metadata }
}

/** The parsed header, where the data starts in the file, and how many bytes of data there are. */
function readHeader(path: string): {
  header: Record<string, unknown>
  dataStart: number
  dataBytes: number
} {
  const fd = openToRead(path)
  try {
    const fileBytes = fstatSync(fd).size
    const refuse = (found: string, expected = 'a safetensors file'): never => {
      throw new InputError({ file: path, found, expected })
    }
    if (!fstatSync(fd).isFile()) return refuse('no regular file')
    if (fileBytes < 10) return refuse(`${fileBytes} bytes`, 'a safetensors file of 10 bytes or more')
    const prefix = new Uint8Array(8)
    readFully(fd, prefix, 0, path)
    const length = new DataView(prefix.buffer).getBigUint64(0, true)
    if (prefix[0] === 0x50 && prefix[1] === 0x4b && prefix[2] === 3 && prefix[3] === 4) {
      return refuse("a zip archive (such as PyTorch's .bin or .pt)")
    }
    if (length < 2n || length > BigInt(headerLimit) || length > BigInt(fileBytes - 8)) {
      return refuse(
        `a header length of ${length} in a file of ${fileBytes} bytes`,
        'a safetensors file (foreign or truncated)',
      )
    }
    const bytes = new Uint8Array(Number(length))
    readFully(fd, bytes, 8, path)
    let header: unknown
    try {
      header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    } catch {
      return refuse('a header that is no JSON', 'a safetensors file')
    }
    if (!isObject(header)) return refuse('a header that is no JSON object')
    return { header, dataStart: 8 + bytes.length, dataBytes: fileBytes - 8 - bytes.length }
  } finally {
    closeSync(fd)
  }
}

class FileTensor implements StoredTensor {
  readonly count: number
  readonly byteLength: number

  constructor(
    private readonly path: string,
    readonly name: string,
    readonly dtype: SafetensorsDtype,
    readonly shape: readonly number[],
    private readonly position: number,
  ) {
    this.count = product(shape)
    this.byteLength = this.count * sizes[dtype]
  }

  bytes(): Uint8Array {
    return this.fill(new Uint8Array(this.byteLength))
  }

  float32(into = new Float32Array(this.count)): Float32Array {
    if (into.length !== this.count) {
      throw new RangeError(`${this.name}: ${into.length} places for ${this.count} values of [${this.shape}]`)
    }
    switch (this.dtype) {
      case 'F32':
        this.fill(new Uint8Array(into.buffer, into.byteOffset, into.byteLength))
        return into
      case 'F64':
        into.set(new Float64Array(this.bytes().buffer))
        return into
      case 'BF16': {
        const bits = new Uint32Array(into.buffer, into.byteOffset, into.length)
        const halves = new Uint16Array(this.bytes().buffer)
        for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16
        return into
      }
      case 'F16': {
        const halves = new Uint16Array(this.bytes().buffer)
        for (let i = 0; i < halves.length; i++) into[i] = halfToNumber(halves[i])
        return into
      }
      default:
        throw this.complain('floating-point values (F64, F32, F16, BF16)')
    }
  }

  int32(): Int32Array {
    const bytes = this.bytes()
    switch (this.dtype) {
      case 'I32':
        return new Int32Array(bytes.buffer)
      case 'I16':
        return Int32Array.from(new Int16Array(bytes.buffer))
      case 'U16':
        return Int32Array.from(new Uint16Array(bytes.buffer))
      case 'I8':
        return Int32Array.from(new Int8Array(bytes.buffer))
      case 'U8':
      case 'BOOL':
        return Int32Array.from(bytes)
      case 'U32':
        return this.narrow(Array.from(new Uint32Array(bytes.buffer)))
      case 'I64':
        return this.narrow(Array.from(new BigInt64Array(bytes.buffer), Number))
      case 'U64':
        return this.narrow(Array.from(new BigUint64Array(bytes.buffer), Number))
      default:
        throw this.complain('whole numbers (I64 to U8, BOOL)')
    }
  }

  private narrow(values: number[]): Int32Array {
    const result = Int32Array.from(values)
    const wrong = result.findIndex((value, i) => value !== values[i])
    if (wrong >= 0) throw this.complain(`values that fit 32 bits (the one at ${wrong} is ${values[wrong]})`)
    return result
  }

  private complain(expected: string): InputError {
    return new InputError({
      file: this.path,
      found: `tensor '${this.name}', ${this.dtype} [${this.shape}]`,
      expected,
    })
  }

  private fill(target: Uint8Array): Uint8Array {
    const fd = openToRead(this.path)
    try {
      readFully(fd, target, this.position, this.path)
      return target
    } finally {
      closeSync(fd)
    }
  }
}

/**
 * Writes a safetensors file under a temporary name beside `path`, forces it to the disk and renames it: `path` holds
 * the old file or the whole new one, never a part. On failure the temporary file is removed. transformers wants
 * `metadata.format`, hence the default. Larger element types come first, so that every tensor is aligned.
 * @throws UserError where the folder cannot be written; RangeError where data and shape disagree.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: TensorToWrite]>,
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  const plan = [...tensors].map(([name, { shape, data, dtype }]) => {
    const type = typeof data === 'function' ? (dtype ?? 'F32') : dtypeOf(data)
    return { name, shape, data, type, bytes: product(shape) * sizes[type] }
  })
  plan.sort((a, b) => sizes[b.type] - sizes[a.type])
  const entries: [string, unknown][] = [['__metadata__', metadata]]
  let end = 0
  for (const { name, shape, type, bytes } of plan) {
    entries.push([name, { dtype: type, shape, data_offsets: [end, end + bytes] }])
    end += bytes
  }
  const header = Object.fromEntries(entries)
  if (Object.keys(header).length !== entries.length) throw new RangeError(`${path}: two tensors of one name`)
  const json = new TextEncoder().encode(JSON.stringify(header))
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20)
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true)
  padded.set(json, 8)

  await writeWholeAsync(path, async (write) => {
    await write(padded)
    for (const { name, shape, data, type, bytes } of plan) {
      const values = typeof data === 'function' ? await data() : data
      if (dtypeOf(values) !== type || values.byteLength !== bytes) {
        const got = `${values.length} values of ${dtypeOf(values)}`
        throw new RangeError(`${path}: '${name}' is ${got}, want ${type} [${shape}]`)
      }
      await write(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
  })
}

function dtypeOf(data: TensorData): NonNullable<TensorToWrite['dtype']> {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Int32Array) return 'I32'
  if (data instanceof Uint8Array) return 'U8'
  return data instanceof BigInt64Array ? 'I64' : 'F64'
}

function openToRead(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw new InputError({
      file: path,
      found: systemCode(error) === 'ENOENT' ? 'no such file' : (error as Error).message,
      expected: 'a safetensors file',
    })
  }
}

function readFully(fd: number, target: Uint8Array, position: number, path: string): void {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(chunkBytes, target.length - done)
    const got = readSync(fd, target, done, length, position + done)
    if (got === 0) {
      throw new InputError({
        file: path,
        found: `its end at byte ${position + done}`,
        expected: `${target.length - done} more bytes (the file has changed since it was opened)`,
      })
    }
    done += got
  }
}

/** The value of an IEEE 754 half: sign 1, exponent 5 (bias 15), fraction 10 bits. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0)
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, n) => total * n, 1)
}
