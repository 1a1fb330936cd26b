/**
 * Races on WebGPU: what a peer is asked for is what ours computes (loops in float64 stand for a peer), a peer that computes
 * something else is refused, and one that has no such op says so; ours in a page computes what ours in Node does.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { agree, type Results } from '../../bench/support/agree.js'
import { SIZES, webgpuCases } from '../../bench/support/webgpu/cases.js'
import { openLabPages } from '../../bench/support/webgpu/chromium_peer.js'
import type { PeerRequest } from '../../bench/support/webgpu/contract.js'
import {
  type Lab,
  openOurs,
  openPeer,
  type PeerModule,
  type SampledResults,
} from '../../bench/support/webgpu/lab.js'
import { Racer } from '../../bench/support/webgpu/places.js'
import { faults, raceCase } from '../../bench/support/webgpu/race.js'
import { kernelSources } from '../../src/device/webgpu/wgsl_node.js'
import { random } from '../support/random.js'
import { skip } from '../support/skip.js'
import { withSwiftshader } from '../support/swiftshader.js'

await withSwiftshader()

const test = suite('races on WebGPU')

test('cases of a size have names of their own', () => {
  for (const size of SIZES) {
    const names = webgpuCases(size).map(({ name }) => name)
    assert.is(new Set(names).size, names.length)
    for (const word of [
      'forward',
      'input gradient',
      'weight gradient',
      'attention',
      'layernorm',
      'residual',
      'dropout',
      'vocabulary',
      'LAMB',
      'step',
    ])
      assert.ok(
        names.some((name) => name.includes(word)),
        `${size}: ${word}`,
      )
  }
})

/** y [rows, columns] = A B + bias, operands turned where it is said. */
function product({ sizes: { transposeA, transposeB }, operands: { a, b, bias } }: PeerRequest) {
  const [inner, rows] = transposeA ? a.shape : [a.shape[1], a.shape[0]]
  const columns = b.shape[transposeB ? 0 : 1]
  const y = new Float32Array(rows * columns)
  for (let m = 0; m < rows; m++)
    for (let n = 0; n < columns; n++) {
      let sum = bias?.data[n] ?? 0
      for (let k = 0; k < inner; k++)
        sum +=
          a.data[transposeA ? k * rows + m : m * inner + k] *
          b.data[transposeB ? n * inner + k : k * columns + n]
      y[m * columns + n] = sum
    }
  return { y }
}

function entropy({ operands: { logits, labels, dloss } }: PeerRequest) {
  const [N, C] = logits.shape
  const loss = new Float32Array(N)
  const dlogits = new Float32Array(N * C)
  for (let n = 0; n < N; n++) {
    const row = Float64Array.from(logits.data.subarray(n * C, (n + 1) * C))
    const lse = Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0))
    loss[n] = lse - row[labels.data[n]]
    row.forEach((v, c) => {
      dlogits[n * C + c] = dloss.data[n] * (Math.exp(v - lse) - (c === labels.data[n] ? 1 : 0))
    })
  }
  return { loss, dlogits }
}

/** The same of logits x W^T + bias, with the gradients of x, W and bias. */
function projectedEntropy({ operands: { x, weight, bias, labels, dloss } }: PeerRequest) {
  const [M, E] = x.shape
  const V = weight.shape[0]
  const request = { transposeA: 0, transposeB: 1 }
  const { y } = product({ kind: 'product', sizes: request, operands: { a: x, b: weight, bias } })
  const logits = { shape: [M, V], data: y }
  const { loss, dlogits } = entropy({ kind: '', sizes: {}, operands: { logits, labels, dloss } })
  const found = {
    loss,
    dx: new Float32Array(M * E),
    dweight: new Float32Array(V * E),
    dbias: new Float32Array(V),
  }
  for (let m = 0; m < M; m++)
    for (let v = 0; v < V; v++) {
      found.dbias[v] += dlogits[m * V + v]
      for (let e = 0; e < E; e++) {
        found.dx[m * E + e] += dlogits[m * V + v] * weight.data[v * E + e]
        found.dweight[v * E + e] += dlogits[m * V + v] * x.data[m * E + e]
      }
    }
  return found
}

/** Normalization of the residual and of what a mask of its own leaves of x. */
function dropoutNorm({ sizes: { eps, p }, operands }: PeerRequest) {
  const { x, residual, weight: w, bias, dy } = operands
  const [N, H] = x.shape
  const draw = random(3)
  const factor = Float64Array.from(x.data, () => (draw.uniform(0, 1) < p ? 0 : 1 / (1 - p)))
  const zero = () => new Float32Array(N * H)
  const found = {
    y: zero(),
    sum: zero(),
    dx: zero(),
    dresidual: zero(),
    dweight: new Float32Array(H),
    dbias: new Float32Array(H),
  }
  for (let n = 0; n < N; n++) {
    const at = (h: number) => n * H + h
    const all = Array.from({ length: H }, (_, h) => h)
    const mean = (f: (h: number) => number) => all.reduce((sum, h) => sum + f(h), 0) / H
    for (const h of all) found.sum[at(h)] = residual.data[at(h)] + factor[at(h)] * x.data[at(h)]
    const middle = mean((h) => found.sum[at(h)])
    const rstd = 1 / Math.sqrt(mean((h) => (found.sum[at(h)] - middle) ** 2) + eps)
    const hat = (h: number) => (found.sum[at(h)] - middle) * rstd
    const g = (h: number) => dy.data[at(h)] * w.data[h]
    const [gMean, hatMean] = [mean(g), mean((h) => g(h) * hat(h))]
    for (const h of all) {
      found.y[at(h)] = hat(h) * w.data[h] + bias.data[h]
      found.dresidual[at(h)] = rstd * (g(h) - gMean - hat(h) * hatMean)
      found.dx[at(h)] = found.dresidual[at(h)] * factor[at(h)]
      found.dweight[h] += dy.data[at(h)] * hat(h)
      found.dbias[h] += dy.data[at(h)]
    }
  }
  return found
}

async function assertRejects(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const said = await promise.then(
    () => 'nothing',
    (error: Error) => error.message,
  )
  assert.match(said, message)
}

/** A peer of one thread in float64; `spoil` changes what it found. */
function loops(spoil: (results: Record<string, Float32Array>) => void = () => {}): PeerModule {
  const work =
    (compute: (request: PeerRequest) => Record<string, Float32Array>) => (request: PeerRequest) => ({
      async first() {
        const results = compute(request)
        spoil(results)
        return results
      },
      run() {},
    })
  return {
    open: async () => ({
      description: { peer: 'loops' },
      kinds: {
        product: work(product),
        cross_entropy: work(entropy),
        linear_cross_entropy: work(projectedEntropy),
        dropout_add_layernorm: work(dropoutNorm),
      },
      sync: async () => {},
    }),
  }
}

test('who is wrong, fails or dies is named and left out, is started anew, and the others go on', async () => {
  const started: string[] = []
  const ended: string[] = []
  const racer = (name: string, change: Partial<Lab> = {}) =>
    new Racer(name, async () => {
      started.push(name)
      return {
        description: {},
        prepare: async () => ({ results: { y: { length: 2, values: [1, 2] } }, flops: 1 }),
        turn: async () => 0.2,
        close: () => ended.push(name),
        ...change,
      }
    })
  const rejects = async () => {
    throw new Error('lost')
  }
  const none = async () => ({ missing: 'it has none' })
  const wrong = async () => ({ results: { y: { length: 2, values: [1, 3] } } })
  const short = async () => ({ results: { y: { length: 1, values: [1] } } })
  let turns = 0
  const dies = async () => (++turns > 2 ? rejects() : 0.2)
  const peers = [
    racer('good'),
    racer('without', { prepare: none }),
    racer('wrong', { prepare: wrong }),
    racer('short', { prepare: short }),
    racer('failing', { prepare: async () => ({ failed: 'out of memory' }) }),
    racer('dying', { turn: dies }),
    racer('dead', { prepare: rejects }),
  ]
  const own = racer('ours')
  await raceCase('here', own, peers, 'quick', 'case')
  assert.equal(faults.splice(0), [
    'case, here: wrong: wrong: y[1] is 3 (want 2)',
    'case, here: short: wrong: y has 1 values (want 2)',
    'case, here: failing: out of memory',
    'case, here: dead: lost',
    'case, here: dying: lost',
  ])
  assert.equal(ended, ['dead', 'dying'])
  await raceCase('here', own, peers.slice(-1), 'quick', 'case')
  assert.equal(started.slice(-2), ['dead', 'dead'])
  assert.equal(faults.splice(0), ['case, here: dead: lost'])
  await raceCase('here', racer('ours', { prepare: rejects }), peers, 'quick', 'case')
  assert.equal(faults.splice(0), ['case, here: ours: lost'])
})

const values = (results: SampledResults): Results =>
  Object.fromEntries(Object.entries(results).map(([name, { values: all }]) => [name, Float32Array.from(all)]))

const { create } = await import('webgpu')
const gpu = create(['disable-dawn-features=timestamp_quantization'])
const ours = await openOurs(gpu, kernelSources()).catch((error: Error) => error.message)
const names = webgpuCases('quick').map(({ name }) => name)
const compared = names.filter((name) => /^(nano ffn |cross-entropy|vocabulary)/.test(name))
if (typeof ours === 'string') skip(test, 'what a peer is asked for is what ours computes', ours)
else {
  for (const name of compared)
    test(`${name}: what a peer is asked for is what ours computes`, async () => {
      const { results, flops = 0 } = await ours.prepare('quick', name)
      const peer = await openPeer(loops(), '')
      const found = await peer.prepare('quick', name)
      assert.equal(Object.keys(found.results!), Object.keys(results!))
      agree(name, values(found.results!), values(results!), 1e-4)
      assert.ok(flops > 0 && (await ours.turn(3)) > 0 && (await peer.turn(2)) >= 0)
    })

  test('a peer that computes something else is refused', async () => {
    const [name] = compared
    const spoilt = await openPeer(
      loops(({ y }) => {
        y[y.length - 1] += 0.1
      }),
      '',
    )
    const { results } = await ours.prepare('quick', name)
    const { results: found } = await spoilt.prepare('quick', name)
    assert.throws(() => agree('loops', values(found!), values(results!), 1e-4), /loops: y\[\d+\] is/)
  })

  test('a peer without such an op, and one that fails, say so', async () => {
    const peer = await openPeer(loops(), '')
    const attention = names.find((name) => name.startsWith('attention'))!
    assert.equal(await peer.prepare('quick', attention), { missing: 'it has no attention' })
    const failing = await openPeer(
      loops(() => {
        throw new Error('out of memory\nand more')
      }),
      '',
    )
    assert.equal(await failing.prepare('quick', compared[0]), { failed: 'out of memory' })
  })

  test('with dropout a peer is judged by the mask that its sum shows', async () => {
    const name = names.find((one) => /^dropout.* forward and backward$/.test(one))!
    const { results } = await ours.prepare('quick', name)
    const found = await (await openPeer(loops(), '')).prepare('quick', name)
    assert.equal([Object.keys(found.results ?? {}), Object.keys(results!)], [['dbias'], ['dbias']])
    agree(name, values(found.results!), values(results!), 1e-4)
    const spoilt: [spoil: (results: Record<string, Float32Array>) => void, said: RegExp][] = [
      [({ y }) => y.fill(0, 5, 6), /wrong by its own mask: y\[5\]/],
      [({ dx, dresidual }) => dx.set(dresidual), /wrong by its own mask: dx/],
      [({ sum, dbias }) => sum.fill(dbias[0], 9, 10), /wrong by its own mask: sum\[9\]/],
      [({ sum, y }) => sum.set(y.fill(0)), /wrong: its dropout drops a share of/],
    ]
    for (const [spoil, said] of spoilt) {
      const { failed = '' } = await (await openPeer(loops(spoil), '')).prepare('quick', name)
      assert.match(failed, said)
    }
  })

  const pages = await openLabPages(['ours'])
  if ('reason' in pages)
    skip(test, 'ours in a page of Chromium computes what ours in Node does', pages.reason)
  else
    test('ours in a page of Chromium computes what ours in Node does', async () => {
      const inPage = await pages.open('ours')
      try {
        assert.match(`${inPage.description.adapter} ${inPage.description.architecture}`, /swiftshader/i)
        for (const name of ['nano ffn 32 weight gradient', 'step nano_2x16']) {
          const want = await ours.prepare('quick', name)
          const found = await inPage.prepare('quick', name)
          agree(name, values(found.results!), values(want.results!), 1e-5)
          assert.is(found.flops, want.flops)
        }
        assert.ok((await inPage.turn(1)) > 0)
        await assertRejects(inPage.prepare('quick', 'no case'), /there is no case no case of size quick/)
      } finally {
        inPage.close()
        pages.close()
      }
    })

  test('the device closes', () => ours.device.destroy())
}

test.run()
