/** What the conventions of source.ts mean: sections, forms, shared code and its variants; what breaks them is refused with the kernel's name. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runnable } from '../../../src/device/webgpu/choice.js'
import { parseExpression } from '../../../src/device/webgpu/expression.js'
import { formFor, readKernels } from '../../../src/device/webgpu/source.js'
import { section } from '../../support/wgsl_section.js'

const test = suite('webgpu sources')

test('numbers of workgroups follow from the parameters', () => {
  const value = (text: string) =>
    parseExpression(text)((name) => ({ rows: 130, hidden: 65 })[name] ?? Number.NaN)
  assert.is(value('ceil(rows / 64) * ceil(hidden / 64)'), 6)
  assert.is(value('rows - 2 * (hidden - 1)'), 2)
  assert.is(value('max(min(rows, 7), 3)'), 7)
  for (const text of ['ceil(rows', 'rows +', 'floor(rows)', '2 rows', 'rows = 2', ''])
    assert.throws(() => parseExpression(text), /found|there is no/, text)
})

test('a source that breaks the conventions is refused by the name of its kernel', () => {
  const entry = '// workgroups: 1\n@compute @workgroup_size(1)\nfn main() {}\n'
  const x = '@group(0) @binding(0) var<storage, read_write> x: array<f32>;\n'
  const read = (text: string) =>
    readKernels({ prelude: '', shared: {}, files: { k: `// kernel k_forward\n${text}` } })
  assert.is(read(x + entry).get('k_forward')![0].entries.length, 1)
  const bad: [string, RegExp][] = [
    [x, /k_forward: it has no entry point/],
    [x + entry.replace('// workgroups: 1\n', ''), /k_forward: no line `\/\/ workgroups/],
    [x + entry.replace(': 1', ': rows'), /k_forward: workgroups of main: no parameter or constant rows/],
    [x.replace('binding(0)', 'binding(1)') + entry, /k_forward: x is @group\(0\) @binding\(1\)/],
    [x.replace('read_write', 'read') + entry, /k_forward: x is not var<storage, read_write>/],
    [`struct Params { rows: u32 }\n${x}${entry}`, /k_forward: struct Params and its uniform belong together/],
  ]
  for (const [text, message] of bad) assert.throws(() => read(text), message)
  assert.throws(
    () => readKernels({ prelude: '', shared: {}, files: { k: 'fn f() {}' } }),
    /k.wgsl has no line/,
  )
})

test('of the forms of a kernel the first is taken whose condition holds for what is known', () => {
  const files = {
    k:
      section('// when: in % 4 == 0 && rows <= 8\n', 'rows') +
      section('// when: in % 2 == 0\n', '2') +
      section('', '1'),
  }
  const forms = readKernels({ prelude: '', shared: {}, files }).get('k_forward')!
  const chosen = (known: Record<string, number>) => forms.indexOf(formFor(forms, (name) => known[name]))
  assert.is(chosen({ in: 8, rows: 8 }), 0)
  assert.is(chosen({ in: 8, rows: 9 }), 1)
  assert.is(chosen({ in: 8 }), 1, 'what a run sets is not known')
  assert.is(chosen({ in: 7, rows: 1 }), 2)
  const read = (k: string) => readKernels({ prelude: '', shared: {}, files: { k } })
  assert.throws(() => read(section('// when: in == 1\n', '1')), /k_forward: the last of its forms/)
  assert.throws(() => read(section('', '1') + section('', '1')), /k_forward: the last of its forms/)
  assert.throws(
    () => read(section('// when: in == 1\n', '1') + section('', '1').replaceAll('in: u32', 'out: u32')),
    /form 2\): it declares x, rows, out \(want x, rows, in\)/,
  )
})

test('forms that differ in shared code, constants and condition are lines of one section', () => {
  const shared = {
    vec4: { '': 'alias Vec = vec4f;\nconst WIDE = 4u;\n' },
    single: { '': 'alias Vec = f32;\nconst WIDE = 1u;\n' },
  }
  const text = section(
    '// form vec4, TILE = 8u when: in % 4 == 0\n// form single, TILE = 2u\n',
    'ceil(rows / (TILE * WIDE))',
  )
  const files = { k: text.replace('array<f32>', 'array<Vec>') }
  const [fours, single] = readKernels({ prelude: '', files, shared }).get('k_forward')!
  assert.equal([fours.families, single.families], [['vec4'], ['single']])
  assert.equal([fours.label, single.label], ['k_forward', 'k_forward (form 2)'])
  assert.equal(
    [fours, single].map(({ entries }) => entries[0].workgroups(() => 64)),
    [2, 32],
  )
  assert.is(single.when, undefined)
  assert.equal(fours.buffers, [{ name: 'x', type: 'f32' }])
  assert.match(fours.entries[0].code, /const TILE = 8u;/)
  assert.not.match(fours.entries[0].code, /const TILE = 2u;/)
})

test('a line for f16 makes a form of a kernel of its own, in which activations have another type in storage', () => {
  const shared = {
    plain: { '': 'alias Stored = Vec;\nalias Vec = vec4f;\n' },
    halves: { '': 'alias Stored = vec2u;\n' },
  }
  const lines = '// form plain when: in % 4 == 0\n// f16 halves when: rows == 1\n// f16 halves\n'
  const files = {
    k: section(lines, 'rows').replace('array<f32>', 'array<Stored>') + section('', '1'),
  }
  const found = readKernels({ prelude: '', files, shared })
  const [plain, any] = found.get('k_forward')!
  const [one, many] = found.get('k_forward_f16')!
  assert.equal(
    [plain, any, one, many].map(({ label, buffers }) => `${label}: ${buffers[0].type}`),
    ['k_forward: f32', 'k_forward (form 2): f32', 'k_forward_f16: u32', 'k_forward_f16 (form 2): u32'],
  )
  assert.is(many.when, undefined)
  assert.equal(many.families, ['halves'])
  const alone = { k: section('// f16 halves when: rows == 1\n', '1') }
  assert.throws(
    () => readKernels({ prelude: '', files: alone, shared }),
    /kernel k_forward_f16: the last of its forms/,
  )
})

test('shared code stands in front, in the variant that is chosen, with what it uses and enables', () => {
  const shared = {
    product: {
      plain: '// uses sums\nconst TILE = 2u * 8u;\nfn work() { sum(); }\n',
      subgroup: '// requires subgroups\n// requires shader-f16\nconst TILE = 4u;\nfn work() {}\n',
    },
    sums: { '': 'fn sum() { x[0] = 1; }\n' },
  }
  const files = { k: `// uses product\n${section('', 'ceil(rows / TILE)')}` }
  const read = (variants: Record<string, string>) =>
    readKernels({ prelude: '', files, shared }, variants).get('k_forward')![0]
  const groups = (kernel: ReturnType<typeof read>) => kernel.entries[0].workgroups(() => 33)
  const plain = read({})
  assert.equal(plain.families, ['product', 'sums'])
  assert.is(groups(plain), 3)
  assert.equal(plain.entries[0].bindings, [0], 'x is reached through both')
  const chosen = read({ product: 'subgroup' })
  assert.is(groups(chosen), 9)
  assert.match(chosen.entries[0].code, /^enable subgroups;\nenable f16;\n/)
  assert.not.match(plain.entries[0].code, /enable/)
  const one = `${section('// uses sums\n', '1').replace('work();', 'sum();')}${section('// uses product\n', '1').replace('k_forward', 'k_backward')}`
  const apart = readKernels({ prelude: '', files: { k: one }, shared }, {})
  assert.equal(apart.get('k_forward')![0].families, ['sums'], 'a line in a section is for that section')
  assert.not.match(apart.get('k_forward')![0].entries[0].code, /fn work/)
  assert.equal(apart.get('k_backward')![0].families, ['product', 'sums'])
  assert.throws(() => read({ product: 'no' }), /product has no variant no \(want plain, subgroup\)/)
  assert.throws(() => readKernels({ prelude: '', files, shared: {} }), /k.wgsl uses product, which is not/)
})

test('a variant that multiplies matrices of subgroups has the shape of the first that the adapter has of its kind and it can use', () => {
  const shared = {
    product: {
      plain: 'const TILE = 1u;\nfn work() {}\n',
      matrix:
        '// requires subgroups\n// multiplies f32 -> f32 from 2x2x4 to 32x8x16\nconst TILE = M * N + K;\nfn work() {}\n',
    },
  }
  const files = { k: `// uses product\n${section('', 'ceil(rows / TILE)')}` }
  const sources = { prelude: '', files, shared }
  const groups = (variants: Record<string, string>, matrices: readonly string[]) =>
    readKernels(sources, variants, matrices)
      .get('k_forward')![0]
      .entries[0].workgroups(() => 64)
  const unfit = [
    'f16 -> f32 4x2x8',
    'f32 -> f16 4x2x8',
    'f32 -> f32 4x16x8',
    'f32 -> f32 4x1x8',
    'f32 -> f32 4x2x12',
  ]
  const offered = [...unfit, 'f32 -> f32 4x2x8', 'f32 -> f32 8x8x8']
  assert.is(groups({ product: 'matrix' }, offered), 4)
  assert.is(groups({}, offered), 64, 'without a choice the one that needs nothing')
  assert.throws(() => groups({ product: 'matrix' }, unfit), /product\/matrix multiplies f32 -> f32, of which/)
  const names = (matrices: readonly string[]) => runnable(sources, ['subgroups'], matrices).product
  assert.equal(names(offered), ['plain', 'matrix'])
  assert.equal(names(unfit), ['plain'])
})

test('parts of a section are modules of their own, entry points in rounds count them, scratch memory is bound behind the parameters', () => {
  const entry = (name: string, lines: string, body: string) =>
    `// workgroups: rows\n${lines}@compute @workgroup_size(1)\nfn ${name}() { ${body} }\n`
  const head =
    '// kernel k_forward\n// rounds: ceil(rows / WORDS)\nstruct Params { rows: u32, round: u32 }\n' +
    '@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;\n@group(0) @binding(1) var<uniform> params: Params;\n' +
    '// scratch: x * WORDS + rows\n@group(0) @binding(2) var<storage, read_write> y: array<f32>;\nconst WORDS = 8u;\n'
  const first = `// part\nconst A = 1u;\n${entry('one', '// in rounds\n', 'y[A] = x[0].x;')}`
  const second = `// part\nconst A = 2u;\n${entry('two', '', 'y[A + params.round] = 0.0;')}`
  const read = (k: string) => readKernels({ prelude: '', shared: {}, files: { k } }).get('k_forward')![0]
  const kernel = read(head + first + second)
  assert.equal(kernel.buffers, [{ name: 'x', type: 'f32' }])
  assert.equal(kernel.params, [{ name: 'rows', type: 'u32' }])
  assert.is(kernel.paramsBinding, 1)
  assert.is(
    kernel.rounds!(() => 17),
    3,
  )
  assert.is(kernel.scratch!.binding, 2)
  assert.is(
    kernel.scratch!.words((name) => ({ x: 10, rows: 3 })[name] ?? Number.NaN),
    83,
  )
  assert.equal(
    kernel.entries.map(({ name, inRounds, bindings }) => ({ name, inRounds, bindings })),
    [
      { name: 'one', inRounds: true, bindings: [0, 2] },
      { name: 'two', inRounds: false, bindings: [1, 2] },
    ],
  )
  const [one, two] = kernel.entries
  assert.ok(one.code.includes('const A = 1u;') && !one.code.includes('const A = 2u;'))
  assert.ok(two.code.includes('const A = 2u;') && !two.code.includes('const A = 1u;'))
  for (const { code } of [one, two]) assert.match(code, /const WORDS = 8u;/)
  const bad: [string, RegExp][] = [
    [head.replace(', round: u32', ''), /rounds: ...` and a parameter round, the last one, belong together/],
    [head.replace('// rounds: ceil(rows / WORDS)\n', ''), /a parameter round, the last one, belong together/],
    [
      head.replace('// rounds: ceil(rows / WORDS)\n', '').replace(', round: u32', ''),
      /one is in rounds, and there is no line/,
    ],
    [head.replace('x * WORDS', 'z * WORDS'), /scratch: no parameter or constant z/],
    [head.replace('// scratch: x * WORDS + rows\n', ''), /y is @group\(0\) @binding\(2\) \(want/],
    [
      head.replace(/@group\(0\) @binding\(2\).*\n/, ''),
      /scratch: ...` and a binding behind the parameters belong together/,
    ],
  ]
  for (const [text, message] of bad) assert.throws(() => read(text + first + second), message)
})

test.run()
