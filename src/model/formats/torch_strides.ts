/**
 * A tensor of PyTorch is a view of a storage: element (i, j, ...) lies at i s0 + j s1 + ... from its first one. Row-major ones
 * are read straight into place; of others (transposed, cut out of a larger one, expanded) the stretch that they span is read
 * and gathered.
 */
import type { ByteSource } from './byte_source.js'

/**
 * What fills a target with a view's elements of `size` bytes, row-major. `position` is of the first element in the source; the
 * caller has checked that all of them lie in it.
 */
export function stridedReader(
  source: ByteSource,
  position: number,
  shape: readonly number[],
  strides: readonly number[],
  size: number,
): (target: Uint8Array) => void {
  if (shape.includes(0)) return () => {}
  if (isRowMajor(shape, strides)) return (target) => source.read(target, position)
  const span = shape.reduce((last, n, i) => last + (n - 1) * strides[i], 1)
  return (target) => {
    const stretch = new Uint8Array(span * size)
    source.read(stretch, position)
    gather(stretch, target, shape, strides, size)
  }
}

/** A dimension of 1 may have any stride. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let want = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue
    if (strides[i] !== want) return false
    want *= shape[i]
  }
  return true
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array

/** A copy of elements that are moved whole needs no more than their width. */
function words(bytes: Uint8Array, size: number): Words {
  const { buffer, byteOffset, byteLength } = bytes
  if (size === 8) return new BigUint64Array(buffer, byteOffset, byteLength / 8)
  if (size === 4) return new Uint32Array(buffer, byteOffset, byteLength / 4)
  return size === 2 ? new Uint16Array(buffer, byteOffset, byteLength / 2) : bytes
}

function gather(
  from: Uint8Array,
  to: Uint8Array,
  shape: readonly number[],
  strides: readonly number[],
  size: number,
): void {
  const [source, target] = [words(from, size), words(to, size)]
  const inner = shape.at(-1) ?? 1
  const step = strides.at(-1) ?? 1
  const index = new Array<number>(Math.max(0, shape.length - 1)).fill(0)
  let [at, start] = [0, 0]
  while (at < target.length) {
    for (let i = 0; i < inner; i++) target[at++] = source[start + i * step]
    // the next row: like an odometer, from the last but one dimension on
    for (let d = index.length - 1; d >= 0; d--) {
      start += strides[d]
      if (++index[d] < shape[d]) break
      start -= shape[d] * strides[d]
      index[d] = 0
    }
  }
}
