/**
 * The heads of fine-tuning against transformers in float64 (test/golden/heads.py): logits, loss, right decisions and every
 * gradient by name, over ragged batches. In bf16 the error (root of the mean square) is at most twice, of gradients three
 * times, that of PyTorch in bfloat16.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ParameterSet } from '../../src/graph/parameters.js'
import type { Runtime } from '../../src/graph/runtime.js'
import { weightsInto } from '../support/albert_golden.js'
import { allclose, sameBits } from '../support/allclose.js'
import { isFew } from '../support/cases.js'
import { BF16_KERNEL, narrowIsas } from '../support/half_case.js'
import {
  type BuildOptions,
  batchOf,
  buildHead,
  close,
  HEADS,
  type HeadCase,
  KINDS,
  LENGTH,
  openHeadCase,
} from '../support/head_case.js'
import { isJudged, testedIsas } from '../support/op_check.js'
import { onSet } from '../support/tally.js'

const test = suite('heads')

type Built = { runtime: Runtime; set: ParameterSet }

async function withHead(c: HeadCase, options: BuildOptions, body: (built: Built) => Promise<void>) {
  const built = await buildHead(c, options)
  try {
    await body(built)
  } finally {
    await close(built.runtime)
  }
}

/** Place of the first largest value. */
function best(values: ArrayLike<number>): number {
  let at = 0
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i
  return at
}

/** Right decisions by the golden logits. */
function decisions({ kind, golden, outputs: K, examples }: HeadCase): { right: number; all: number } {
  const logits = golden.floats('outputs/logits')
  let [right, all, row] = [0, 0, 0]
  examples.forEach(({ ids, targets }, e) => {
    const mine = [...logits.subarray(e * K, (e + 1) * K)]
    if (kind === 'class') {
      all++
      right += Number(best(mine) === targets![0])
    } else if (kind === 'label') {
      all += K
      right += mine.filter((x, k) => x > 0 === (targets![k] === 1)).length
    } else if (kind === 'span') {
      for (const edge of [0, 1]) {
        if (targets![edge] < 0) continue
        const column = [...ids.keys()].map((i) => logits[2 * (row + i) + edge])
        all++
        right += Number(best(column) === targets![edge])
      }
    }
    row += ids.length
  })
  return { right, all }
}

const weights = { class: 5, label: 20, score: 5, span: 8 }

// heads are the same on both families; one is enough where all is slow
for (const family of isJudged() || isFew ? ['albert'] : ['albert', 'bert'])
  for (const kind of KINDS) {
    const c = openHeadCase(family, kind)
    const { head, golden, examples } = c
    const { inputs, scalars } = batchOf(head, examples, LENGTH)
    const run = { ...scalars, loss_scale: 1 / weights[kind] }
    const wanted = golden.floats('outputs/logits')

    for (const isa of testedIsas())
      for (const recompute of isJudged() || isFew ? [false] : [false, true])
        test(
          `${family}, ${kind}: logits, loss and every gradient (${isa}${recompute ? ', recompute' : ''})`,
          onSet(isa, () =>
            withHead(c, { isa, recompute }, async ({ runtime, set }) => {
              await runtime.run('train', inputs, run)
              const logits = await runtime.read('train', 'logits', scalars.scored)
              allclose(logits, wanted, { rtol: 0, atol: 4e-6, name: 'logits' })
              const loss = golden.floats('outputs/loss')
              allclose(await runtime.read('train', 'loss'), loss, { rtol: 1e-5, name: 'loss' })
              const sum = await runtime.read('train', 'loss_sum')
              allclose(sum, [loss[0] * weights[kind]], { rtol: 1e-5, name: 'sum of losses' })
              if (head.decisions) {
                const { right, all } = decisions(c)
                assert.equal([...(await runtime.read('train', 'correct'))], [right])
                assert.is(
                  examples.map(head.decisions).reduce((a, b) => a + b),
                  all,
                )
              }
              const gradients = await runtime.readState('gradients')
              for (const s of set.segments)
                allclose(
                  gradients.subarray(s.offset, s.offset + s.size),
                  golden.floats(`gradients/${s.name}`),
                  {
                    rtol: 1e-4,
                    atol: 2e-6,
                    name: `gradient of ${s.name}`,
                  },
                )
              const ours = set.segments.map((s) => `gradients/${s.name}`).sort()
              assert.equal(ours, [...golden.tensors.keys()].filter((k) => k.startsWith('gradients/')).sort())
              await runtime.run('answer', batchOf(head, examples, LENGTH, false).inputs, scalars)
              sameBits(await runtime.read('answer', 'logits', scalars.scored), logits, {
                name: 'without targets',
              })
            }),
          ),
        )

    for (const isa of narrowIsas(BF16_KERNEL))
      test(
        `${family}, ${kind}: in bf16 (${isa})`,
        onSet(isa, () =>
          withHead(c, { isa, precision: 'bf16' }, async ({ runtime, set }) => {
            const naive = golden.json.bfloat16_error
            await runtime.run('train', inputs, run)
            const logits = await runtime.read('train', 'logits', scalars.scored)
            const distance = Math.hypot(...logits.map((x, i) => x - wanted[i])) / Math.sqrt(wanted.length)
            assert.ok(distance <= 2 * naive.logits, `logits: ${distance}, naive ${naive.logits}`)
            const gradients = await runtime.readState('gradients')
            const exact = weightsInto(set, golden, 'gradients')
            const error = Math.hypot(...exact.map((g, i) => g - gradients[i])) / Math.hypot(...exact)
            assert.ok(error <= 3 * naive.gradients, `gradients: ${error}, naive ${naive.gradients}`)
          }),
        ),
      )

    test(`${family}, ${kind}: an example weighs what the mean of transformers divides by`, () => {
      assert.is(
        examples.map(head.weight).reduce((a, b) => a + b),
        weights[kind],
      )
    })
  }

if (!isJudged()) {
  for (const kind of KINDS)
    test(`${kind}: micro-batches in any order add up to the batch`, async () => {
      const c = openHeadCase('albert', kind)
      await withHead(c, {}, async ({ runtime, set }) => {
        const [a, b, d, e, f] = c.examples
        let sum = 0
        for (const part of [[e, a], [f], [d, b]]) {
          const { inputs, scalars } = batchOf(c.head, part, LENGTH)
          await runtime.run('train', inputs, { ...scalars, loss_scale: 1 / weights[kind] })
          sum += (await runtime.read('train', 'loss'))[0]
        }
        allclose([sum], c.golden.floats('outputs/loss'), { rtol: 1e-5, name: 'loss' })
        allclose(await runtime.readState('gradients'), weightsInto(set, c.golden, 'gradients'), {
          rtol: 1e-4,
          atol: 2e-6,
          name: 'gradients',
        })
      })
    })

  test('the loss of labels is exact and its gradient right far from 0 and at 0', () => {
    const c = openHeadCase('bert', 'label')
    const bias = [200, -200, 0, 30]
    return withHead(c, {}, async ({ runtime, set }) => {
      const values = weightsInto(set, c.golden, 'weights')
      const of = (name: string) => set.segments.find((s) => s.name === name)!
      const [weight, b] = [of('classifier.weight'), of('classifier.bias')]
      values.fill(0, weight.offset, weight.offset + weight.size)
      values.set(bias, b.offset)
      await runtime.writeState('parameters', values)
      const { inputs, scalars } = batchOf(c.head, c.examples, LENGTH)
      await runtime.run('train', inputs, { ...scalars, loss_scale: 1 })
      let sum = 0
      const slope = bias.map(() => 0)
      for (const { targets } of c.examples)
        bias.forEach((x, k) => {
          sum += (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x))) - x * targets![k]
          slope[k] += 1 / (1 + Math.exp(-x)) - targets![k]
        })
      allclose(await runtime.read('train', 'loss'), [sum], { rtol: 1e-6, name: 'loss' })
      const found = (await runtime.readState('gradients')).subarray(b.offset, b.offset + b.size)
      allclose(found, slope, { rtol: 1e-6, atol: 1e-6, name: 'gradient of the bias' })
    })
  })

  for (const kind of KINDS)
    test(`${kind}: dropout in front of the classifier ${kind === 'span' ? 'is not there' : 'while training only'}`, () => {
      const c = openHeadCase('albert', kind)
      return withHead(c, { classifierDropout: 0.5 }, async ({ runtime }) => {
        const { inputs, scalars } = batchOf(c.head, c.examples, LENGTH)
        const logits = async (program: string) => {
          await runtime.run(program, inputs, { ...scalars, loss_scale: 1 })
          return runtime.read(program, 'logits', scalars.scored)
        }
        const [train, score] = [await logits('train'), await logits('score')]
        allclose(score, c.golden.floats('outputs/logits'), { rtol: 0, atol: 4e-6, name: 'logits' })
        const same = train.every((x, i) => x === score[i])
        assert.is(same, kind === 'span')
      })
    })

  test('examples that do not fit a head are refused by their item', () => {
    const { examples } = openHeadCase('albert', 'span')
    const [first] = examples
    const unknown = { ...first, item: 7, targets: undefined }
    assert.throws(
      () => HEADS.class.inputs([first, unknown], true, LENGTH),
      /item 7 has no targets of Int32Array/,
    )
    assert.throws(() => HEADS.score.inputs([first], true, LENGTH), /item 0 has no targets of Float32Array/)
    assert.equal(HEADS.span.inputs([unknown], false, LENGTH), {})
    const part = { ...first, scored: Int32Array.of(0, 1) }
    assert.throws(() => HEADS.span.inputs([part], true, LENGTH), /item 0: 2 of 5 rows are scored \(want all/)
    assert.throws(() => HEADS.span.inputs(examples, true, 12), /item 1: 13 of 13 rows .* at most 12/)
    const { config } = openHeadCase('albert', 'span').golden
    assert.throws(() => HEADS.span.declare(new ParameterSet(), config, 3), /has 2 outputs, not 3/)
  })
}

test.run()
