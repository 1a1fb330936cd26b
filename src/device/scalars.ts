/** Run-time scalars as the bits that devices take. */
import { UserError } from '../error.js'
import type { Program } from './program.js'

/** One 32-bit word per scalar of the program, in its order. Throws when one is missing. */
export function scalarBits(program: Program, scalars: Readonly<Record<string, number>>): Uint32Array {
  const bits = new Uint32Array(program.scalars.length)
  const floats = new Float32Array(bits.buffer)
  program.scalars.forEach(({ name, type }, i) => {
    const value = scalars[name]
    if (value === undefined) throw new UserError(`program ${program.name}: scalar ${name} has no value`)
    if (type === 'f32') floats[i] = value
    else if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) bits[i] = value
    else
      throw new UserError(
        `program ${program.name}: scalar ${name} is ${value} (want a whole number below 2^32)`,
      )
  })
  return bits
}
