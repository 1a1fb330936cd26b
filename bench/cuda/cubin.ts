/**
 * Instructions of machine code, kernel by kernel, straight from the ELF file that ptxas writes: no disassembler is needed to
 * see whether tensor cores are used and how. From sm_70 on an instruction has 16 bytes, and the lowest nine bits of the
 * first eight are its opcode (the three above them say where operands come from).
 */

/** Opcodes by the names that disassemblers print; checked against cuobjdump of CUDA 13. */
const OPCODES = {
  /** Products of a warp group, operands in shared memory (wgmma). */
  HGMMA: 0x1f0,
  /** Products of a warp (mma.sync). */
  HMMA: 0x03c,
  /** Local memory: spills and arrays that are indexed at run time. */
  LDL: 0x183,
  STL: 0x187,
} as const

export type Instruction = keyof typeof OPCODES
export type Counts = Readonly<Record<Instruction, number>>

const INSTRUCTION = 16

/** How often each of the known instructions stands in each kernel, by its mangled name. */
export function instructionCounts(cubin: Buffer): Map<string, Counts> {
  const counts = new Map<string, Counts>()
  for (const { name, bytes } of sections(cubin)) {
    if (!name.startsWith('.text.')) continue
    const found = { HGMMA: 0, HMMA: 0, LDL: 0, STL: 0 }
    for (let at = 0; at + INSTRUCTION <= bytes.length; at += INSTRUCTION) {
      const opcode = bytes.readUInt16LE(at) & 0x1ff
      for (const known of Object.keys(OPCODES) as Instruction[]) if (OPCODES[known] === opcode) found[known]++
    }
    counts.set(name.slice('.text.'.length), found)
  }
  return counts
}

/** Sections of a 64-bit little-endian ELF file. */
function* sections(file: Buffer): Generator<{ name: string; bytes: Buffer }> {
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('cubin: found no 64-bit little-endian ELF file')
  const table = Number(file.readBigUInt64LE(0x28))
  const [size, count, names] = [0x3a, 0x3c, 0x3e].map((at) => file.readUInt16LE(at))
  const header = (i: number) => {
    const at = table + i * size
    const [offset, length] = [at + 0x18, at + 0x20].map((place) => Number(file.readBigUInt64LE(place)))
    return { name: file.readUInt32LE(at), type: file.readUInt32LE(at + 4), offset, length }
  }
  const strings = header(names)
  for (let i = 0; i < count; i++) {
    const { name, type, offset, length } = header(i)
    const start = strings.offset + name
    const NO_BITS = 8
    yield {
      name: file.toString('latin1', start, file.indexOf(0, start)),
      bytes: type === NO_BITS ? Buffer.alloc(0) : file.subarray(offset, offset + length),
    }
  }
}
