/** Which instruction sets and cases a suite takes. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isFew, ofEachKind, once } from './cases.js'
import { readTables, wantedSets } from './instruction_sets.js'
import { folderWith } from './temporary.js'

const test = suite('choice of instruction sets and cases')

const folder = folderWith({
  'kernel_tables.inc': `extern const KernelEntry kernels_softmax_plain[];

static const struct { const char* isa; const KernelEntry* entries; } kKernelTables[] = {
  {"plain", kernels_linear_plain},
  {"plain", kernels_pack_int8_plain},
  {"plain", kernels_softmax_plain},
  {"wide", kernels_linear_wide},
  {"wide", kernels_pack_int8_wide},
  {"wide", kernels_softmax_wide},
  {"wide_int8", kernels_linear_wide_int8},
  {"wide_int8", kernels_pack_int8_wide_int8},
};

static const struct { const char *isa, *base; } kInstructionSets[] = {
  {"plain", ""},
  {"wide", ""},
  {"wide_int8", "wide"},
};
`,
})
const tables = readTables(`${folder}/kernel_tables.inc`)
const sets = ['plain', 'wide', 'wide_int8']

test('the tables of a build are read', () => {
  assert.equal(
    [...tables.bases],
    [
      ['plain', ''],
      ['wide', ''],
      ['wide_int8', 'wide'],
    ],
  )
  assert.equal([...tables.stems.get('wide')!], ['linear', 'pack_int8', 'softmax'])
  assert.equal([...tables.stems.get('wide_int8')!], ['linear', 'pack_int8'])
  assert.throws(() => readTables(`${folder}/none`))
})

test('an op is left out for a set that has its kernels from another', () => {
  const of = (file: string) => wantedSets(sets, { tables, file })
  assert.equal(of('/dist/test/ops/linear.test.js'), sets)
  assert.equal(of('/dist/test/ops/pack_int8.test.js'), sets)
  assert.equal(of('/dist/test/ops/softmax.test.js'), ['plain', 'wide'])
  // nothing is known of what they run
  assert.equal(of('/dist/test/ops/unheard_of.test.js'), sets)
  assert.equal(of('/dist/test/model/softmax.test.js'), sets)
})

test('sets may be named, and all are taken where nothing is asked for', () => {
  assert.equal(wantedSets(sets, { sets: 'wide,wide_int8' }), ['wide', 'wide_int8'])
  assert.equal(wantedSets(sets, {}), sets)
})

test('of each kind of case all are taken, or the first', () => {
  assert.equal(ofEachKind({ small: [1, 2], large: [30], none: [] }), isFew ? [1, 30] : [1, 2, 30])
})

test('what is made once is made once, even if it is nothing', () => {
  let made = 0
  const get = once(() => {
    made++
  })
  get()
  get()
  assert.is(made, 1)
})

test.run()
