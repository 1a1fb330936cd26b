/** IEEE's binary16 on the host: sign 1, exponent 5 (bias 15), fraction 10 bits. */

export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
}

/** Bits of numbers that are halves already: zeros, or of 11 bits from 2^-14 to 65504. Others lose what does not fit. */
export function halvesOf(numbers: Float32Array): Uint16Array {
  const words = new Uint32Array(numbers.buffer, numbers.byteOffset, numbers.length)
  const halves = new Uint16Array(words.length)
  for (let i = 0; i < words.length; i++) {
    const size = words[i] & 0x7fffffff
    // the exponent goes from a bias of 127 to one of 15
    halves[i] = ((words[i] >>> 16) & 0x8000) | (size === 0 ? 0 : (size - (112 << 23)) >>> 13)
  }
  return halves
}
