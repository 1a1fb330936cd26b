/**
 * Weights as the model sees them, whatever file they lie in: tensors by name, each with type and shape, whose values are
 * fetched when they are asked for. safetensors, PyTorch and TensorFlow each give a `WeightsFile`. Needs nothing of Node.
 */
import { InputError } from '../../error.js'

/** Element types that are read, with their size in bytes. */
export const ELEMENT_BYTES = {
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

export type ElementType = keyof typeof ELEMENT_BYTES

/** One tensor of a file. The accessors read it anew at each call and keep nothing. */
export interface StoredTensor {
  /** Hugging Face's, where the file has another. */
  readonly name: string
  readonly dtype: ElementType
  /** Row-major; empty for a scalar. */
  readonly shape: readonly number[]
  /** What the file calls it, where that is not `name`. */
  readonly storedAs?: string
  /** The file has its two dimensions the other way round; shape and values here are as Hugging Face has them. */
  readonly transposed?: boolean
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

export interface WeightsFile {
  /** Of the file, or what errors call it. */
  readonly path: string
  /** All files that the tensors lie in, or are described in, where they lie in files. */
  readonly files?: readonly string[]
  /** In the order of their data in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
  readonly metadata: ReadonlyMap<string, string>
  /** Names in the file that are no weights of a model, such as the moments of an optimizer. */
  readonly leftOut?: readonly string[]
}

/** What a tensor is and where its bytes come from. */
export interface TensorSource
  extends Pick<StoredTensor, 'name' | 'dtype' | 'shape' | 'storedAs' | 'transposed'> {
  /** Of the file, for errors. */
  readonly path: string
  /** Fills `target`, as long as the tensor, with its little-endian bytes, row-major. */
  read(target: Uint8Array): void
}

/** A tensor whose bytes are fetched anew at each call. */
export class LazyTensor implements StoredTensor {
  readonly name: string
  readonly dtype: ElementType
  readonly shape: readonly number[]
  readonly storedAs?: string
  readonly transposed?: boolean
  readonly count: number
  readonly byteLength: number

  constructor(private readonly source: TensorSource) {
    this.name = source.name
    this.dtype = source.dtype
    this.shape = source.shape
    this.storedAs = source.storedAs
    this.transposed = source.transposed
    this.count = product(source.shape)
    this.byteLength = this.count * ELEMENT_BYTES[source.dtype]
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
      file: this.source.path,
      found: `tensor '${this.name}', ${this.dtype} [${this.shape}]`,
      expected,
    })
  }

  private fill(target: Uint8Array): Uint8Array {
    this.source.read(target)
    return target
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

/** Elements of a shape. */
export function product(shape: readonly number[]): number {
  return shape.reduce((total, n) => total * n, 1)
}
