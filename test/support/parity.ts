/**
 * Parity with transformers in float64, from the golden files of a family of models: outputs, every gradient by name,
 * and ten steps of LAMB and of AdamW.
 */
import type { suite } from 'uvu'
import { Capture } from '../../src/autograd/tensor.js'
import { cpuInfo, openCpu } from '../../src/device/cpu.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import type { ModelType } from '../../src/model/config.js'
import { declarePretraining, pretrainingLoss } from '../../src/model/pretraining.js'
import { declareTokenClassification, tokenClassification } from '../../src/model/token_classification.js'
import { appendUpdate, DEFAULT_OPTIMIZER, optimizerInputs } from '../../src/training/optimizer.js'
import { type Golden, openGolden, weightsInto } from './albert_golden.js'
import { allclose } from './allclose.js'

interface Built {
  runtime: Runtime
  inputs: Record<string, InputData>
  scalars: Record<string, number>
  set: ParameterSet
}

/** Programs `step` (with an update by that optimizer) and `gradients` (without), over the golden batch. */
function build(golden: Golden, isa: string, optimizer: 'lamb' | 'adamw', recompute: boolean): Built {
  const { json, config } = golden
  const set = new ParameterSet()
  const { rows, sequences, masked } = json.batch
  const cu = golden.ints('batch/cu_seqlens')
  const inputs: Record<string, InputData> = {
    ids: golden.ints('batch/input_ids'),
    segments: golden.ints('batch/segment_ids'),
    positions: golden.ints('batch/position_ids'),
    cu_seqlens: cu,
  }
  const scalars: Record<string, number> = { rows, sequences, seed: 0, draw: 0 }
  // capacities beyond what is there: nothing may depend on them
  const capacity = { rows: rows + 9, sequences: sequences + 2 }
  const options = { training: true, recompute }
  let loss: (capture: Capture) => ReturnType<typeof pretrainingLoss>
  if (json.kind === 'pretraining') {
    const model = declarePretraining(set, { ...config, classifierDropout: 0 })
    Object.assign(inputs, {
      masked_rows: golden.ints('batch/masked_rows'),
      masked_labels: golden.ints('batch/masked_labels'),
      first_rows: cu.slice(0, sequences),
      sop_labels: golden.ints('batch/sop_labels'),
    })
    Object.assign(scalars, { masked, mlm_scale: 1 / (masked + 1e-5), sop_scale: 1 / sequences })
    loss = (capture) => pretrainingLoss(capture, model, { ...capacity, masked: masked + 3 }, options)
  } else {
    const labels = golden.ints('batch/labels')
    const model = declareTokenClassification(set, config, json.config.num_labels)
    const words = rows
    Object.assign(inputs, { word_rows: Int32Array.from(labels, (_, i) => i), word_labels: labels })
    Object.assign(scalars, { words, loss_scale: 1 / labels.filter((l) => l >= 0).length })
    loss = (capture) =>
      tokenClassification(capture, model, { ...capacity, words: words + 5 }, { ...options, labelled: true })!
  }
  const step = new Capture(set)
  step.backward(loss(step))
  appendUpdate(step, { ...DEFAULT_OPTIMIZER, name: optimizer })
  const gradients = new Capture(set)
  gradients.backward(loss(gradients))
  const runtime = new Runtime(openCpu({ isa, threads: 2 }), set, {
    step: step.graph,
    gradients: gradients.graph,
  })
  return { runtime, inputs, scalars, set }
}

async function close(runtime: Runtime): Promise<void> {
  runtime.free()
  await runtime.device.destroy()
}

/** Adds the tests of one golden case. */
export function checkParity(test: ReturnType<typeof suite>, family: ModelType, name: string): void {
  const golden = openGolden(name, family)
  for (const isa of cpuInfo().isas)
    for (const recompute of [false, true])
      test(`${name}: outputs and every gradient (${isa}${recompute ? ', recompute' : ''})`, async () => {
        const { runtime, inputs, scalars, set } = build(golden, isa, 'lamb', recompute)
        try {
          await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
          await runtime.run('gradients', inputs, scalars)
          const output = async (key: string) => runtime.read('gradients', key)
          allclose(await output('loss'), golden.floats('outputs/loss'), { rtol: 1e-5, name: 'loss' })
          if (golden.json.kind === 'pretraining') {
            const mlm = (await output('mlm_loss')).map((v) => v * scalars.mlm_scale)
            const sop = (await output('sop_loss')).map((v) => v * scalars.sop_scale)
            allclose(mlm, golden.floats('outputs/mlm_loss'), { rtol: 1e-5, name: 'mlm loss' })
            allclose(sop, golden.floats('outputs/sop_loss'), { rtol: 1e-5, name: 'sop loss' })
          } else {
            const logits = await runtime.read('gradients', 'logits', scalars.words)
            allclose(logits, golden.floats('outputs/logits'), { rtol: 1e-5, atol: 1e-5, name: 'logits' })
          }
          const gradients = await runtime.readState('gradients')
          for (const s of set.segments)
            allclose(gradients.subarray(s.offset, s.offset + s.size), golden.floats(`gradients/${s.name}`), {
              rtol: 1e-4,
              atol: 2e-6,
              name: `gradient of ${s.name}`,
            })
          const golden_names = [...golden.tensors.keys()].filter((k) => k.startsWith('gradients/'))
          const ours = new Set(set.segments.map((s) => `gradients/${s.name}`))
          const missing = golden_names.filter((k) => !ours.has(k))
          if (missing.length > 0) throw new Error(`no parameter for ${missing.join(', ')}`)
        } finally {
          await close(runtime)
        }
      })
  for (const optimizer of ['lamb', 'adamw'] as const)
    test(`${name}: ten ${optimizer} steps`, async () => {
      const isa = cpuInfo().isas.at(-1)!
      const { runtime, inputs, scalars, set } = build(golden, isa, optimizer, false)
      try {
        await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
        const rates = golden.floats(`${optimizer}/lr`)
        const losses: number[] = []
        const norms: number[] = []
        for (const lr of rates) {
          await runtime.run(
            'step',
            { ...inputs, ...optimizerInputs(set) },
            { ...scalars, lr, correction1: 1, correction2: 1 },
          )
          losses.push((await runtime.read('step', 'loss'))[0])
          norms.push((await runtime.read('step', 'grad_norm'))[0])
        }
        allclose(losses, golden.floats(`${optimizer}/losses`), { rtol: 1e-5, atol: 1e-5, name: 'losses' })
        allclose(norms, golden.floats(`${optimizer}/grad_norms`), { rtol: 1e-4, atol: 1e-5, name: 'norms' })
        const weights = await runtime.readState('parameters')
        for (const s of set.segments) {
          if (!golden.has(`${optimizer}/weights/${s.name}`)) continue
          allclose(
            weights.subarray(s.offset, s.offset + s.size),
            golden.floats(`${optimizer}/weights/${s.name}`),
            {
              rtol: 1e-4,
              atol: 5e-5,
              name: s.name,
            },
          )
        }
      } finally {
        await close(runtime)
      }
    })
}
