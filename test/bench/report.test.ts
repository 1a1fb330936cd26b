/** The tables and the plots that are made of results. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Race, Results } from '../../bench/support/record.js'
import {
  BEGIN,
  END,
  machineText,
  readResults,
  report,
  section,
  summary,
  writeReport,
} from '../../bench/support/report.js'
import { speedText } from '../../bench/support/speed.js'
import { root } from '../support/paths.js'
import { checkPicture } from '../support/picture.js'
import { temporaryFolder } from '../support/temporary.js'

const test = suite('report of benches')

const race: Race = {
  name: 'base_8x128',
  precision: 'f32',
  units: { tokens: 1024 },
  ours: { name: 'ours f32', seconds: 2 },
  peer: { name: 'PyTorch f32', seconds: 3 },
  ratio: 1.5,
  low: 1.25,
  high: 1.75,
  rounds: 5,
}

function results(more: Partial<Results> = {}): Results {
  return {
    command: 'npm run bench -- steps/pretraining --peers',
    facts: { processor: 'Some <CPU>', threads: 2, isa: 'avx512', memory_gib: 24, commit: 'abc1234' },
    peaks: {},
    date: '2026-01-02T03:04:05.678Z',
    entries: [],
    peers: [],
    races: [],
    figures: [],
    ...more,
  }
}

const PAGE = `# T\n\n${BEGIN}\nold\n${END}\n\nrest\n`

function project(files: Record<string, unknown>, page = PAGE): string {
  const folder = temporaryFolder()
  const data = join(folder, 'bench', 'results')
  mkdirSync(data, { recursive: true })
  mkdirSync(join(folder, 'docs'))
  writeFileSync(join(folder, 'README.md'), PAGE)
  writeFileSync(join(folder, 'docs/figures.md'), page)
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(data, name), JSON.stringify(content))
  return folder
}

test('a race is a row: ours, its best peer, the ratio with its range, the command', () => {
  const text = section([{ ...results({ races: [race] }), name: 'pretraining' }])
  assert.match(text, 'Some <CPU>, 2 threads, avx512, 24 GiB:')
  const row =
    '| base_8x128 | 512 tokens/s | PyTorch f32: 341 tokens/s | **1.50** (1.25 to 1.75) | ' +
    '`npm run bench -- steps/pretraining --peers` | abc1234 |'
  assert.match(text, row)
  assert.match(text, 'figures.svg')
})

test('the precision is named where there is more than one', () => {
  const races = [race, { ...race, precision: 'bf16' as const }]
  const text = section([{ ...results({ races }), name: 'pretraining' }])
  assert.match(text, '| base_8x128, f32 | ')
  assert.match(text, '| base_8x128, bf16 | ')
})

test('a race without peers and a figure have rows without a ratio', () => {
  const { peer, ratio, low, high, ...alone } = race
  const figures = [{ what: 'memory | resident', value: '211 MiB' }]
  const text = section([{ ...results({ races: [alone], figures }), name: 'x' }])
  assert.match(text, '| base_8x128 | 512 tokens/s |  |  | `npm')
  assert.match(text, '| memory \\| resident | 211 MiB |  |  | `npm')
  assert.not.match(text, 'figures.svg')
})

test('machines have tables of their own', () => {
  const other = results({ races: [race] })
  other.facts.processor = 'Other CPU'
  const text = section([
    { ...results({ races: [race] }), name: 'a' },
    { ...other, name: 'b' },
    { ...results({ races: [{ ...race, name: 'again' }] }), name: 'c' },
  ])
  assert.is(text.match(/^\| what /gm)?.length, 2)
  assert.ok(text.indexOf('again') < text.indexOf('Other CPU'), 'files of one machine stand together')
})

test('an adapter of WebGPU is named beside the processor', () => {
  const facts = { processor: 'Some CPU', cores: 2, memory_gib: 24, adapter: 'SwiftShader driver 5.0.0' }
  assert.is(machineText({ facts }), 'WebGPU on SwiftShader driver 5.0.0, Some CPU, 2 cores, 24 GiB:')
})

test('a GPU stands for its machine', () => {
  const other = results({ races: [race] })
  Object.assign(other.facts, { gpu: 'NVIDIA H100', multiprocessors: 132, driver: '13.0' })
  const text = section([{ ...other, name: 'pretraining.h100' }])
  assert.match(text, 'NVIDIA H100, 132 multiprocessors, driver of CUDA 13.0, Some <CPU>:')
  assert.not.match(text, 'threads')
})

test('speeds have three digits', () => {
  assert.is(speedText({ ...race, units: { tokens: 5000 } }, 0.3), '16,700 tokens/s')
  assert.is(speedText({ ...race, units: undefined, flops: 3e9 }, 2), '1.5 GFLOP/s')
  const whole = { what: 'an epoch', count: 169.5 }
  assert.is(speedText({ ...race, units: { sentences: 32 }, whole }, 8), '4 sentences/s, 22.6 min an epoch')
  assert.is(speedText({ ...race, units: undefined }, 0.0123), '12.3 ms')
})

test('the short text has a line for each bench: the range of its ratios', () => {
  const other = results({
    races: [
      { ...race, precision: 'bf16', ratio: 2.5 },
      { ...race, ratio: undefined },
    ],
  })
  other.facts.processor = 'Other CPU'
  const text = summary([
    { ...results({ races: [race] }), name: 'linear' },
    { ...other, name: 'linear.other' },
    { ...results({ races: [race] }), name: 'finetune' },
  ])
  assert.match(text, '| linear | **1.50 to 2.50** | 2 | f32, bf16 | 2 |\n')
  assert.match(text, '| finetune | **1.50** | 1 | f32 | 1 |\n')
})

test('the command writes the sections and the plots, and nothing else of the pages', async () => {
  const curves = { step: [1, 2, 3], f32: [4, 3, 2], bf16: [4, 3.1, 2] }
  const figures = [{ what: 'loss', value: '0.1 apart' }]
  const folder = project({
    'pretraining.json': results({
      races: [race, { ...race, precision: 'bf16', ratio: 0.8, low: 0.7, high: 0.9 }],
    }),
    'precision.json': results({ curves, figures }),
    'older.json': { facts: {}, entries: [] },
  })
  const files = ['README.md', 'docs/figures.md', 'bench/results/figures.svg', 'bench/results/precision.svg']
  assert.equal(await writeReport(folder), files)
  const read = () => files.map((file) => readFileSync(join(folder, file), 'utf8'))
  const [readme, page, races, lines] = read()
  for (const text of [readme, page]) {
    assert.ok(text.startsWith(`# T\n\n${BEGIN}\n`) && text.endsWith(`${END}\n\nrest\n`))
    assert.not.match(text, 'old')
  }
  checkPicture(races)
  assert.is(races.match(/aria-roledescription="bar"/g)?.length, 2)
  assert.match(races, '1.50 × PyTorch f32')
  assert.match(races, 'Some &lt;CPU&gt;')
  checkPicture(lines)
  assert.is(lines.match(/aria-roledescription="line mark"/g)?.length, 2)
  await writeReport(folder)
  assert.equal(read(), [readme, page, races, lines], 'a second time changes nothing')
})

test('a bar lies on the side of its ratio', async () => {
  const edges = async (ratio: number) => {
    const folder = project({ 'x.json': results({ races: [{ ...race, ratio, low: ratio, high: ratio }] }) })
    await writeReport(folder)
    const svg = readFileSync(join(folder, 'bench/results/figures.svg'), 'utf8')
    const line = Number(
      svg.match(/translate\(([\d.]+),[\d.]+\)" x2="0" y2="[\d.]+" stroke="#1f2328" stroke-width="1.5"/)?.[1],
    )
    const [, x, width] =
      svg.match(/aria-roledescription="bar" d="M([\d.]+),[\d.]+h([\d.]+)/)?.map(Number) ?? []
    return { line, from: x, to: x + width }
  }
  const faster = await edges(2)
  assert.ok(Math.abs(faster.from - faster.line) < 1 && faster.to > faster.line + 20, JSON.stringify(faster))
  const slower = await edges(0.6)
  assert.ok(Math.abs(slower.to - slower.line) < 1 && slower.from < slower.line - 20, JSON.stringify(slower))
})

test('without results the pages say what to run; a page without its comments is refused', async () => {
  const folder = project({})
  assert.equal(await writeReport(folder), ['README.md', 'docs/figures.md'])
  for (const page of ['README.md', 'docs/figures.md'])
    assert.match(readFileSync(join(folder, page), 'utf8'), 'No results yet')
  assert.equal(readResults(join(folder, 'nowhere')), [])
  try {
    await report(project({}, 'no comments'), [])
    assert.unreachable()
  } catch (error) {
    assert.match((error as Error).message, /^docs\/figures.md: found no section of figures/)
  }
})

test('a page that cannot be written is named', async () => {
  const folder = project({ 'x.json': results({ races: [race] }) })
  const picture = join(folder, 'bench/results/figures.svg')
  mkdirSync(picture)
  try {
    await writeReport(folder)
    assert.unreachable()
  } catch (error) {
    assert.is((error as Error).message, `${picture}: cannot be written: is a folder`)
  }
})

test('no key of the results that are kept has a space', () => {
  const spaced: string[] = []
  for (const result of readResults(join(root, 'bench', 'results')))
    JSON.stringify(result, (key, value) => {
      if (/\s/.test(key)) spaced.push(`${result.name}: ${key}`)
      return value
    })
  assert.equal(spaced, [])
})

test.run()
