/** bf16, the upper half of an f32, to and from Float32Array, for what people write and read. */

/** Rounded to the nearest, ties to even; a NaN stays one. */
export function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let i = 0; i < halves.length; i++) {
    const u = bits[i]
    const noNumber = (u & 0x7fffffff) > 0x7f800000
    halves[i] = noNumber ? (u >>> 16) | 0x40 : (u + 0x7fff + ((u >>> 16) & 1)) >>> 16
  }
  return halves
}

export function fromBf16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length)
  const bits = new Uint32Array(values.buffer)
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16
  return values
}
