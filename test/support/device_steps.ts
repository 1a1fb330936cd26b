/**
 * Pretraining steps of a nano ALBERT, and of a BERT whose layers do not lie at aligned offsets, on another device follow the
 * CPU's: losses, gradient norms and parameters after several LAMB steps with dropout, on ragged batches that do not fill the
 * capacity.
 */
import type { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import type { Device } from '../../src/device/device.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import { type ModelConfig, preset } from '../../src/model/config.js'
import type { Precision } from '../../src/ops/shape.js'
import { initialValues } from '../../src/training/initialize.js'
import { DEFAULT_OPTIMIZER, optimizerInputs } from '../../src/training/optimizer.js'
import { mlmScale, pretrainingPrograms } from '../../src/training/pretraining/programs.js'
import { allclose, sameBits } from './allclose.js'
import { random } from './random.js'

export const vocabulary = 211
export const capacity = { rows: 96, sequences: 4, masked: 20 }

export interface Batch {
  inputs: Record<string, InputData>
  rows: number
  sequences: number
  masked: number
}

/** A ragged batch that changes with the step. */
export function batchOf(step: number): Batch {
  const r = random(100 + step)
  const lengths = Array.from({ length: 3 }, () => r.integer(5, 30))
  const rows = lengths.reduce((a, b) => a + b, 0)
  const starts = lengths.map((_, b) => lengths.slice(0, b).reduce((x, y) => x + y, 0))
  const perSequence = 4
  const masked = lengths.length * perSequence
  const cu = new Int32Array(capacity.sequences + 1).fill(rows)
  cu.set(starts)
  const position = (n: number) => {
    const b = starts.findLastIndex((start) => start <= n)
    return { within: n - starts[b], half: n - starts[b] < lengths[b] / 2 ? 0 : 1 }
  }
  return {
    inputs: {
      ids: r.integers(rows, 5, vocabulary),
      segments: Int32Array.from({ length: rows }, (_, n) => position(n).half),
      positions: Int32Array.from({ length: rows }, (_, n) => position(n).within),
      cu_seqlens: cu,
      masked_rows: Int32Array.from(
        starts.flatMap((s, b) => [...r.permutation(lengths[b]).subarray(0, 4)].map((k) => s + k)),
      ),
      masked_labels: r.integers(masked, 5, vocabulary),
      first_rows: Int32Array.from(starts),
      sop_labels: r.integers(lengths.length, 0, 2),
    },
    rows,
    sequences: lengths.length,
    masked,
  }
}

/** Several updates of two micro-batches each, from the same start. */
export async function train(
  device: Device,
  config: ModelConfig,
  options: { recompute?: boolean; precision?: Precision },
  steps: number,
) {
  const { parameters, graphs } = pretrainingPrograms(config, capacity, DEFAULT_OPTIMIZER, options)
  const runtime = new Runtime(device, parameters, graphs)
  const losses: number[] = []
  const norms: number[] = []
  try {
    await runtime.writeState('parameters', initialValues(parameters, 7))
    for (let step = 0; step < steps; step++) {
      const batches = [batchOf(2 * step), batchOf(2 * step + 1)]
      const masked = batches.reduce((sum, b) => sum + b.masked, 0)
      const sequences = batches.reduce((sum, b) => sum + b.sequences, 0)
      let loss = 0
      for (const [i, batch] of batches.entries()) {
        const program = i === 0 ? 'accumulate' : 'step'
        const scalars = {
          ...{ rows: batch.rows, sequences: batch.sequences, masked: batch.masked },
          ...{ mlm_scale: mlmScale(masked), sop_scale: 1 / sequences, seed: 3, draw: 2 * step + i },
          ...{ lr: 0.01, correction1: 1, correction2: 1 },
        }
        const tables = i === 0 ? {} : optimizerInputs(parameters)
        await runtime.run(program, { ...batch.inputs, ...tables }, scalars)
        loss += (await runtime.read(program, 'loss'))[0]
      }
      losses.push(loss)
      norms.push((await runtime.read('step', 'grad_norm'))[0])
    }
    return { losses, norms, parameters: await runtime.readState('parameters') }
  } finally {
    runtime.free()
  }
}

/** Adds the tests of a device. `steps` updates each; bf16 too where `bf16`, against the CPU in bf16. */
export function followsTheCpu(
  test: ReturnType<typeof suite>,
  device: Device,
  { steps = 6, bf16 = false }: { steps?: number; bf16?: boolean } = {},
): void {
  const cpu = openCpu({ threads: 2 })
  const albert = (dropout: number) => preset('nano', vocabulary, { dropout })
  const bert = preset('bert-nano', vocabulary, { dropout: 0.1, hiddenSize: 40, intermediateSize: 72 })
  const cases: { config: ModelConfig; recompute?: boolean; precision?: Precision }[] = [
    { config: albert(0) },
    { config: albert(0.1), recompute: true },
    { config: bert },
    ...(bf16 ? ([{ config: albert(0.1), precision: 'bf16' }] as const) : []),
  ]
  for (const { config, ...options } of cases) {
    const about = [options.recompute && ', recompute', options.precision && `, ${options.precision}`]
    test(`losses of a nano ${config.modelType} follow the CPU, dropout ${config.dropout}${about.filter(Boolean).join('')}`, async () => {
      const want = await train(cpu, config, options, steps)
      const got = await train(device, config, options, steps)
      // bf16 rounds at other places on another device: 8 bits of significand
      const times = options.precision === 'bf16' ? 50 : 1
      allclose(got.losses, want.losses, { rtol: 1e-4 * times, name: 'losses' })
      allclose(got.norms, want.norms, { rtol: 1e-3 * times, name: 'gradient norms' })
      if (times === 1)
        allclose(got.parameters, want.parameters, { rtol: 1e-3, atol: 1e-4, name: 'parameters' })
      assert.ok(want.losses.every((v) => Number.isFinite(v)) && want.losses[0] !== want.losses[steps - 1])
    })
  }

  test('the same steps give the same bits', async () => {
    const one = await train(device, albert(0.1), {}, 2)
    const two = await train(device, albert(0.1), {}, 2)
    sameBits(two.parameters, one.parameters, { name: 'parameters' })
  })

  test('the CPU closes', () => cpu.destroy())
}
