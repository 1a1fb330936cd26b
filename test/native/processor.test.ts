/**
 * Which instruction sets a processor is said to have: on this machine against what Linux says, and of registers as processors
 * give them, with systems that save less than they could.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { cpuInfo, unusedIsas } from '../../src/device/cpu.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('native/processor.cc')

/** Flags of /proc/cpuinfo that a set wants beside those of the sets before it. */
const FLAGS = {
  avx2: ['avx', 'fma', 'avx2'],
  avx512: ['avx512f', 'avx512dq', 'avx512bw', 'avx512vl'],
  avx512_vnni: ['avx512_vnni'],
  avx512_bf16: ['avx512_bf16'],
  amx: ['amx_tile', 'amx_bf16', 'amx_int8'],
}

const onLinux = 'the instruction sets of this processor are those that Linux tells of'
if (process.platform !== 'linux' || process.arch !== 'x64')
  skip(
    test,
    onLinux,
    `it reads the flags of an x86 processor on Linux, this is ${process.platform}-${process.arch}`,
  )
else
  test(onLinux, () => {
    const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^flags\s*:(.*)$/m)![1]
    const flags = new Set(line.trim().split(/\s+/))
    const want = ['generic']
    for (const [isa, needed] of Object.entries(FLAGS)) {
      if (!needed.every((flag) => flags.has(flag))) break
      want.push(isa)
    }
    const { isas, refused } = cpuInfo()
    // Linux hides what it does not save; only tiles it may show and still refuse
    const all = [...isas, ...refused.map(({ isa }) => isa)]
    assert.equal(all, want)
    for (const { isa } of refused) assert.is(isa, 'amx')
  })

test('faster sets are named with why they are not used', () => {
  const processor = {
    name: 'of a test',
    cores: 2,
    isas: ['generic', 'avx2', 'avx512'],
    emulated: [],
    refused: [{ isa: 'amx', reason: 'no permission' }],
  }
  assert.equal(unusedIsas(processor, 'avx512', 'BIOALBERT_ISA'), { amx: 'no permission' })
  assert.equal(unusedIsas({ ...processor, refused: [] }, 'avx512', 'BIOALBERT_ISA'), {})
  assert.equal(unusedIsas(processor, 'generic', 'BIOALBERT_ISA'), {
    avx2: 'BIOALBERT_ISA is generic',
    avx512: 'BIOALBERT_ISA is generic',
    amx: 'no permission',
  })
})

const bits = (...positions: number[]) => positions.reduce((sum, n) => sum + 2 ** n, 0)

/** Registers as processors give them, by bits: Intel's manual, volume 2, CPUID; volume 1, 13.3 for XCR0. */
const FMA_OSXSAVE_AVX = bits(12, 27, 28)
const AVX2 = bits(5)
const AVX512 = bits(5, 16, 17, 30, 31)
const AMX = bits(22, 24, 25)
const SAVED = {
  sse: bits(0, 1),
  vectors: bits(0, 1, 2),
  wide: bits(0, 1, 2, 5, 6, 7),
  tiles: bits(0, 1, 2, 5, 6, 7, 17, 18),
}

interface Case {
  name: string
  leaf1?: number
  leaf7?: [number, number, number]
  leaf7_1?: number
  saved: number
  late?: boolean
  permission?: string
  /** Sets and what stands against them, or nothing. */
  want: [string, RegExp?][]
}

const unsaved = (what: string) => new RegExp(`^the operating system does not save ${what} \\(XCR0 is 0x`)
const HASWELL: [number, number, number] = [AVX2, 0, 0]
const ZEN4: [number, number, number] = [AVX512, bits(11), 0]
const SAPPHIRE: [number, number, number] = [AVX512, bits(11), AMX]

const CASES: Case[] = [
  {
    name: 'Sandy Bridge: AVX without FMA',
    leaf1: bits(27, 28),
    leaf7: [0, 0, 0],
    saved: SAVED.vectors,
    want: [],
  },
  { name: 'Bulldozer: FMA without AVX2', leaf7: [0, 0, 0], saved: SAVED.vectors, want: [] },
  { name: 'Haswell', leaf7: HASWELL, saved: SAVED.vectors, want: [['avx2']] },
  {
    name: 'Haswell under a system without AVX',
    leaf7: HASWELL,
    saved: SAVED.sse,
    want: [['avx2', unsaved('registers of 256 bits')]],
  },
  {
    name: 'Haswell under a system that hides XCR0',
    leaf1: bits(12, 28),
    leaf7: HASWELL,
    saved: 0,
    want: [['avx2', /XCR0 is 0x0, want 0x6\)$/]],
  },
  {
    name: 'Knights Landing: AVX-512 without BW, DQ and VL',
    leaf7: [bits(5, 16), 0, 0],
    saved: SAVED.wide,
    want: [['avx2']],
  },
  { name: 'Skylake-SP', leaf7: [AVX512, 0, 0], saved: SAVED.wide, want: [['avx2'], ['avx512']] },
  {
    name: 'Cascade Lake',
    leaf7: [AVX512, bits(11), 0],
    saved: SAVED.wide,
    want: [['avx2'], ['avx512'], ['avx512_vnni']],
  },
  {
    name: 'Zen 4',
    leaf7: ZEN4,
    leaf7_1: bits(5),
    saved: SAVED.wide,
    want: [['avx2'], ['avx512'], ['avx512_vnni'], ['avx512_bf16']],
  },
  {
    name: 'Zen 4 under a system that saves 256 bits',
    leaf7: ZEN4,
    leaf7_1: bits(5),
    saved: SAVED.vectors,
    want: [
      ['avx2'],
      ...['avx512', 'avx512_vnni', 'avx512_bf16'].map((isa): [string, RegExp] => [
        isa,
        unsaved('registers of 512 bits'),
      ]),
    ],
  },
  {
    name: 'Skylake-SP on macOS, which shows 512 bits late',
    leaf7: [AVX512, 0, 0],
    saved: SAVED.vectors,
    late: true,
    want: [['avx2'], ['avx512']],
  },
  {
    name: 'macOS without AVX',
    leaf7: [AVX512, 0, 0],
    saved: SAVED.sse,
    late: true,
    want: [
      ['avx2', /256/],
      ['avx512', /512/],
    ],
  },
  {
    name: 'Sapphire Rapids',
    leaf7: SAPPHIRE,
    leaf7_1: bits(5),
    saved: SAVED.tiles,
    want: [['avx2'], ['avx512'], ['avx512_vnni'], ['avx512_bf16'], ['amx']],
  },
  {
    name: 'Sapphire Rapids under a system that knows no tiles',
    leaf7: SAPPHIRE,
    leaf7_1: bits(5),
    saved: SAVED.wide,
    want: [['avx2'], ['avx512'], ['avx512_vnni'], ['avx512_bf16'], ['amx', unsaved('tiles')]],
  },
  {
    name: 'Sapphire Rapids where permission is refused',
    leaf7: SAPPHIRE,
    leaf7_1: bits(5),
    saved: SAVED.tiles,
    permission: 'refused',
    want: [['avx2'], ['avx512'], ['avx512_vnni'], ['avx512_bf16'], ['amx', /^refused$/]],
  },
  {
    name: 'tiles of bf16 without those of 8 bits',
    leaf7: [AVX512, bits(11), bits(22, 24)],
    leaf7_1: bits(5),
    saved: SAVED.tiles,
    want: [['avx2'], ['avx512'], ['avx512_vnni'], ['avx512_bf16']],
  },
]

const compiler = process.env.CXX?.split(' ')[0] ?? 'c++'
const ofRegisters = 'registers of many processors and systems give the right instruction sets'
if (spawnSync(compiler, ['--version']).status !== 0) skip(test, ofRegisters, `no C++ compiler (${compiler})`)
else
  test(ofRegisters, () => {
    const program = join(temporaryFolder(), 'driver')
    const sources = ['test/native/x86_driver.cc', 'native/x86.cc'].map((file) => join(root, file))
    const built = spawnSync(compiler, ['-std=c++17', '-I', join(root, 'native'), ...sources, '-o', program], {
      encoding: 'utf8',
    })
    assert.is(built.status, 0, built.stderr)
    const input = CASES.map(
      ({ leaf1 = FMA_OSXSAVE_AVX, leaf7 = [0, 0, 0], leaf7_1 = 0, saved, late, permission }) => {
        const words = [leaf1, ...leaf7, leaf7_1, saved].map((n) => n.toString(16))
        return [...words, late ? 1 : 0, permission ?? 'granted'].join(' ')
      },
    )
    const { stdout } = spawnSync(program, { input: `${input.join('\n')}\n`, encoding: 'utf8' })
    const lines = stdout.trim().split('\n')
    assert.is(lines.length, CASES.length)
    for (const [i, { name, want }] of CASES.entries()) {
      const found = JSON.parse(lines[i]) as [string, string][]
      const names = found.map(([isa]) => isa).join(', ')
      assert.is(names, want.map(([isa]) => isa).join(', '), `${name}: ${names}`)
      for (const [j, [isa, obstacle]] of found.entries()) {
        const expected = want[j][1] ?? /^$/
        assert.ok(expected.test(obstacle), `${name}: ${isa} is ${obstacle || 'allowed'} (want ${expected})`)
      }
    }
  })

test.run()
