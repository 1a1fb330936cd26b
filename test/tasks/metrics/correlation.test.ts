/** Golden scores: test/golden/metrics.py (exact fractions, which scipy agrees with where its sums do not overflow). */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { pearson, ranks, scoreCorrelation, spearman } from '../../../src/tasks/metrics/correlation.js'
import { allclose } from '../../support/allclose.js'
import { metricsGolden } from '../../support/metrics_golden.js'

const test = suite('correlation metrics')

interface CorrelationCase {
  x: number[]
  y: number[]
  pearson: number | null
  spearman: number | null
  meanSquaredError: number | null
}

test('random, tied, constant, huge, tiny and far-off numbers agree with exact fractions', () => {
  const cases = metricsGolden<CorrelationCase>('correlations')
  assert.ok(cases.some((want) => want.pearson === null && want.x.length > 2))
  for (const want of cases) {
    const scores = scoreCorrelation(want.x, want.y)
    for (const name of ['pearson', 'spearman', 'meanSquaredError'] as const) {
      const [found, wanted] = [scores[name], want[name]]
      if (found === null || wanted === null) assert.is(found, wanted, `${name} of ${want.x} and ${want.y}`)
      else allclose([found], [wanted], { rtol: 1e-12, atol: 1e-12, name })
    }
  }
})

test('equal values share the mean of their ranks', () => {
  assert.equal([...ranks([3, 1, 3, 2, 3])], [4, 1, 4, 2, 4])
  assert.equal([...ranks([])], [])
})

test('a correlation that does not exist is null', () => {
  assert.is(pearson([1, 2, 3], [0.1, 0.1, 0.1]), null)
  assert.is(spearman([5, 5], [1, 2]), null)
  assert.is(pearson([1], [1]), null)
  assert.is(pearson([], []), null)
  assert.is(pearson([1, 2], [Number.NaN, 1]), null)
  assert.is(spearman([1, 2, 3], [Number.NaN, 1, 2]), null)
  assert.equal(scoreCorrelation([], []), { pairs: 0, pearson: null, spearman: null, meanSquaredError: null })
})

test('a perfect line is 1 and no more, down it is -1', () => {
  const x = Array.from({ length: 50 }, (_, i) => Math.sin(i) / 3)
  assert.ok((pearson(x, x) ?? 0) <= 1)
  allclose(
    [
      pearson(x, x) ?? 0,
      pearson(
        x,
        x.map((v) => 2 - 7 * v),
      ) ?? 0,
    ],
    [1, -1],
    { rtol: 1e-15, atol: 1e-15 },
  )
})

test('other lengths are refused', () => {
  assert.throws(() => pearson([1], []), /0 predictions, want 1/)
  assert.throws(() => scoreCorrelation([1], [1, 2]), /2 predictions, want 1/)
})

test.run()
