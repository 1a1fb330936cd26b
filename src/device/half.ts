/**
 * Numbers of two bytes to and from Float32Array, for what people write and read: bf16, the upper half of an f32, and f16,
 * IEEE's binary16 (5 bits of exponent, 10 of fraction). Rounded to the nearest, ties to even; a NaN stays one.
 */
import type { HalfType } from './kernel.js'

export function toHalf(values: Float32Array, type: HalfType): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  return Uint16Array.from(bits, type === 'bf16' ? bf16Of : f16Of)
}

export function fromHalf(halves: Uint16Array, type: HalfType): Float32Array {
  return new Float32Array(Uint32Array.from(halves, type === 'bf16' ? (half) => half << 16 : f32Of).buffer)
}

/** Of the bits of an f32. */
function bf16Of(u: number): number {
  const isNan = (u & 0x7fffffff) > 0x7f800000
  return isNan ? (u >>> 16) | 0x40 : (u + 0x7fff + ((u >>> 16) & 1)) >>> 16
}

/** As kernels/wgsl/shared/halves.wgsl. Of 65520 and above an infinity, of 2^-25 and below a zero. */
function f16Of(u: number): number {
  const sign = (u >>> 16) & 0x8000
  const x = u & 0x7fffffff
  if (x > 0x7f800000) return sign | 0x7e00
  if (x >= 0x47800000) return sign | 0x7c00
  // from 2^-14 on the exponent goes from a bias of 127 to one of 15, and rounding may carry into it
  if (x >= 0x38800000) return sign | roundedShift(x - (112 << 23), 13)
  // below, units of 2^-24 are counted
  return sign | roundedShift((x & 0x7fffff) | 0x800000, Math.min(126 - (x >>> 23), 25))
}

/** x / 2^places, the nearest. */
function roundedShift(x: number, places: number): number {
  return (x + 2 ** (places - 1) - 1 + ((x >>> places) & 1)) >>> places
}

/** The bits of an f32 of those of an f16. */
function f32Of(half: number): number {
  const sign = (half & 0x8000) << 16
  const x = half & 0x7fff
  if (x >= 0x7c00) return sign | 0x7f800000 | ((x & 0x3ff) << 13)
  if (x >= 0x400) return sign | ((x << 13) + (112 << 23))
  // a count of 2^-24: its leading bit becomes the implicit one
  if (x === 0) return sign
  const leading = 31 - Math.clz32(x)
  return sign | ((leading + 103) << 23) | ((x << (23 - leading)) & 0x7fffff)
}
