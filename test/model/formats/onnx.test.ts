/**
 * Exported ONNX files in ONNX Runtime: against transformers in float64 (the golden files of all heads), and against our own CPU
 * device over batches of many shapes, in every operator set, with the weights in the file and beside it.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ACTIVATIONS } from '../../../src/model/config.js'
import { writeOnnx } from '../../../src/model/formats/onnx.js'
import { OnnxGraph } from '../../../src/model/formats/onnx_graph.js'
import { OPSETS, onnxModel } from '../../../src/model/formats/onnx_model.js'
import type { OnnxModel } from '../../../src/model/formats/onnx_proto.js'
import type { ModelKind } from '../../../src/model/kind.js'
import { readWholeModel } from '../../../src/model/whole_model.js'
import { openGolden } from '../../support/albert_golden.js'
import { allclose } from '../../support/allclose.js'
import {
  FAMILIES,
  goldenFolder,
  MODEL_KINDS,
  nanoFolder,
  ownOutputs,
  sequencesOf,
} from '../../support/export_case.js'
import { KINDS as GOLDEN_HEADS, openHeadCase } from '../../support/head_case.js'
import { openOnnx, runOnnx, type Sequence } from '../../support/onnx_case.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('ONNX')

async function exported(dir: string, opset: number = OPSETS.first) {
  const model = readWholeModel(dir)
  const onnx = onnxModel(model, opset)
  const path = join(temporaryFolder(), 'model.onnx')
  const written = await writeOnnx(path, onnx)
  return { model, onnx, path, ...written }
}

const exact = { rtol: 1e-5, atol: 5e-6 }

// against transformers in float64

/** The sequences of a golden batch of albert.py or bert.py. */
function goldenSequences(name: string, family: string): Sequence[] {
  const golden = openGolden(name, family)
  const [ids, segments, cu] = ['input_ids', 'segment_ids', 'cu_seqlens'].map((key) =>
    golden.ints(`batch/${key}`),
  )
  return [...cu.subarray(1)].map((end, b) => {
    const second = segments.subarray(cu[b], end).indexOf(1)
    return { ids: ids.subarray(cu[b], end), ...(second >= 0 && { second }) }
  })
}

const pretraining: readonly [family: string, name: string][] = [
  ['albert', 'pretraining'],
  ['albert', 'pretraining_one_head'],
  ['albert', 'pretraining_full_d64'],
  ['bert', 'pretraining'],
  ['bert', 'pretraining_one_layer'],
  ['bert', 'pretraining_deep'],
]
for (const [family, name] of pretraining)
  test(`${family} ${name}: hidden states, pooled vectors and logits of transformers`, async () => {
    const golden = openGolden(name, family)
    const sequences = goldenSequences(name, family)
    const V = golden.config.vocabularySize
    const { path } = await exported(await goldenFolder(name, family, 'PreTraining'))
    const found = await runOnnx(await openOnnx(path), sequences)
    const words = found.get('prediction_logits')!
    const masked = [...golden.ints('batch/masked_rows')].flatMap((row) => [
      ...words.subarray(row * V, (row + 1) * V),
    ])
    allclose(masked, golden.floats('outputs/mlm_logits'), { ...exact, name: 'prediction_logits' })
    const pairs = family === 'bert' ? 'seq_relationship_logits' : 'sop_logits'
    allclose(found.get(pairs)!, golden.floats('outputs/sop_logits'), { ...exact, name: pairs })
    const alone = await exported(await goldenFolder(name, family, 'Model'))
    const states = await runOnnx(await openOnnx(alone.path), sequences)
    allclose(states.get('last_hidden_state')!, golden.floats('outputs/hidden'), { ...exact, name: 'hidden' })
    allclose(states.get('pooler_output')!, golden.floats('outputs/pooled'), { ...exact, name: 'pooled' })
  })

for (const [family, name] of [
  ['albert', 'token_classification'],
  ['albert', 'token_classification_odd'],
  ['bert', 'token_classification'],
])
  test(`${family} ${name}: logits of transformers`, async () => {
    const { path } = await exported(await goldenFolder(name, family, 'TokenClassification'))
    const found = await runOnnx(await openOnnx(path), goldenSequences(name, family))
    allclose(found.get('logits')!, openGolden(name, family).floats('outputs/logits'), exact)
  })

for (const family of FAMILIES)
  for (const head of GOLDEN_HEADS)
    test(`${family}, head ${head}: logits of transformers`, async () => {
      const { golden, examples } = openHeadCase(family, head)
      const kind: ModelKind = head === 'span' ? 'QuestionAnswering' : 'SequenceClassification'
      const { path } = await exported(await goldenFolder(`${family}_${head}`, 'heads', kind))
      const found = await runOnnx(await openOnnx(path), examples)
      const wanted = golden.floats('outputs/logits')
      if (head !== 'span') return allclose(found.get('logits')!, wanted, exact)
      for (const [edge, name] of ['start_logits', 'end_logits'].entries())
        allclose(
          found.get(name)!,
          wanted.filter((_, i) => i % 2 === edge),
          { ...exact, name },
        )
    })

// against our own device

const batches: readonly [name: string, lengths: readonly number[], more: number][] = [
  ['one piece', [1], 0],
  ['one sequence', [9], 0],
  ['one sequence with padding', [9], 5],
  ['ragged', [12, 3, 1, 48, 17], 0],
  ['ragged, all with padding', [5, 31, 2, 8, 8, 1, 20], 4],
  ['as long as the model has positions', [48, 48], 0],
]
for (const family of FAMILIES)
  for (const kind of MODEL_KINDS)
    test(`${family} ${kind}: one session takes any batch, with our logits`, async () => {
      const { model, path } = await exported(await nanoFolder(family, kind))
      const session = await openOnnx(path)
      for (const [name, lengths, more] of batches) {
        const sequences = sequencesOf(lengths, model.config.vocabularySize)
        const own = await ownOutputs(model, sequences)
        const found = await runOnnx(session, sequences, more)
        assert.equal([...found.keys()].sort(), [...own.keys()].sort())
        for (const [output, values] of found)
          allclose(values, own.get(output)!, { rtol: 1e-5, atol: 1e-5, name: `${output}, ${name}` })
      }
    })

for (const family of FAMILIES)
  for (const gelu of ACTIVATIONS)
    test(`${family} with the activation ${gelu}: the same logits in every operator set`, async () => {
      const dir = await nanoFolder(family, 'MaskedLM', { gelu, heads: 2, layers: 2 })
      for (let opset = OPSETS.first; opset <= OPSETS.last; opset++) {
        const { model, path } = await exported(dir, opset)
        const sequences = sequencesOf([11, 4], model.config.vocabularySize)
        const own = (await ownOutputs(model, sequences)).get('logits')!
        const found = (await runOnnx(await openOnnx(path), sequences)).get('logits')!
        allclose(found, own, { rtol: 1e-5, atol: 1e-5, name: `operator set ${opset}` })
      }
    })

// files

/** Bytes of tensors by name, which must be unique. */
function tensorBytes({ tensors }: OnnxModel): number {
  assert.is(new Set(tensors.map(({ name }) => name)).size, tensors.length)
  return tensors.reduce((n, { bytes }) => n + bytes, 0)
}

for (const family of FAMILIES)
  test(`${family}: every weight is in the file once`, async () => {
    const { model, onnx, path, bytes } = await exported(await nanoFolder(family, 'PreTraining'))
    const constants = onnx.tensors.filter(({ name }) => /^(constant|integers?)_/.test(name))
    const small = constants.reduce((n, one) => n + one.bytes, 0)
    assert.is(tensorBytes(onnx) - small, 4 * model.parameters.count)
    assert.ok(small < 500)
    assert.is(statSync(path).size, bytes)
    assert.ok(bytes - tensorBytes(onnx) < 60_000, `${bytes - tensorBytes(onnx)} bytes that are no weights`)
  })

test('layers of ALBERT add nodes, not bytes of weights; those of BERT add both', async () => {
  const sizes = async (family: (typeof FAMILIES)[number], layers: number) => {
    const { onnx } = await exported(await nanoFolder(family, 'Model', { layers }))
    return { nodes: onnx.nodes.length, bytes: tensorBytes(onnx) }
  }
  const [two, five] = [await sizes('albert', 2), await sizes('albert', 5)]
  assert.is(two.bytes, five.bytes)
  const step = (five.nodes - two.nodes) / 3
  assert.ok(step > 20 && Number.isInteger(step))
  assert.ok((await sizes('bert', 5)).bytes > (await sizes('bert', 2)).bytes + 3 * 4 * 12 * 64 * 64)
})

test('weights beside the file give the same bits as weights in it', async () => {
  const { model, onnx, path } = await exported(await nanoFolder('bert', 'TokenClassification'))
  const apart = join(temporaryFolder(), 'apart.onnx')
  const { files, bytes } = await writeOnnx(apart, onnx, { external: true })
  assert.equal(files, [`${apart}.data`, apart])
  assert.is(bytes, statSync(apart).size + statSync(`${apart}.data`).size)
  assert.ok(statSync(apart).size < 100_000)
  const sequences = sequencesOf([9, 30, 4], model.config.vocabularySize)
  const within = await runOnnx(await openOnnx(path), sequences)
  const beside = await runOnnx(await openOnnx(apart, true), sequences)
  assert.equal(Buffer.from(beside.get('logits')!.buffer), Buffer.from(within.get('logits')!.buffer))
})

test('a model that is too large for one file goes into two, and is whole or not there', async () => {
  const { onnx, bytes, path } = await exported(await nanoFolder('albert', 'PreTraining'))
  const folder = temporaryFolder()
  const exactly = await writeOnnx(join(folder, 'one.onnx'), onnx, { largest: bytes })
  assert.is(exactly.files.length, 1)
  assert.ok(readFileSync(path).equals(readFileSync(join(folder, 'one.onnx'))))
  const parted = await writeOnnx(join(folder, 'two.onnx'), onnx, { largest: bytes - 1 })
  assert.is(parted.files.length, 2)
  const failing = {
    ...onnx,
    tensors: onnx.tensors.map((tensor) => ({
      ...tensor,
      content: () => {
        throw new Error('no more')
      },
    })),
  }
  for (const external of [false, true])
    try {
      await writeOnnx(join(folder, 'three.onnx'), failing, { external })
      assert.unreachable()
    } catch (error) {
      assert.match((error as Error).message, /no more/)
    }
  assert.equal(readdirSync(folder).sort(), ['one.onnx', 'two.onnx', 'two.onnx.data'])
})

test('a matrix is turned piece by piece', async () => {
  const [rows, columns] = [700, 3001]
  const data = Float32Array.from({ length: rows * columns }, (_, i) => i)
  const graph = new OnnxGraph(17)
  graph.transposed({ name: 'w', shape: [rows, columns], data })
  const [{ dims, bytes, content }] = graph.finish('one', {}).tensors
  assert.equal(dims, [columns, rows])
  const pieces = [...content()]
  assert.ok(pieces.length > 1 && pieces.every((piece) => piece.length <= 1 << 22))
  const joined = Buffer.concat(pieces)
  assert.is(joined.length, bytes)
  const turned = new Float32Array(joined.buffer, joined.byteOffset, rows * columns)
  let wrong = 0
  for (let c = 0; c < columns; c++)
    for (let r = 0; r < rows; r++) if (turned[c * rows + r] !== r * columns + c) wrong++
  assert.is(wrong, 0)
})

test.run()
