/** The programs of the golden cases, on the CPU or on the device that is judged. */
import { Capture } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { type InputData, Runtime } from '../../src/graph/runtime.js'
import type { EncodeOptions } from '../../src/model/encoder.js'
import { declarePretraining, pretrainingLoss } from '../../src/model/pretraining.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { appendUpdate, DEFAULT_OPTIMIZER } from '../../src/training/optimizer.js'
import type { Golden } from './albert_golden.js'
import { closeAfterTest, openForTest } from './op_check.js'

export interface Built {
  runtime: Runtime
  inputs: Record<string, InputData>
  scalars: Record<string, number>
  set: ParameterSet
}

/** Programs `step` (with an update by that optimizer) and `gradients` (without), over the golden batch. */
export function buildGolden(
  golden: Golden,
  isa: string,
  optimizer: 'lamb' | 'adamw',
  encoder: Omit<EncodeOptions, 'training'> = {},
): Built {
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
  const options = { ...encoder, training: true }
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
    const model = tokenHead.declare(set, config, json.config.num_labels)
    Object.assign(inputs, { scored_rows: Int32Array.from(labels, (_, i) => i), targets: labels })
    Object.assign(scalars, { scored: rows, loss_scale: 1 / labels.filter((l) => l >= 0).length })
    loss = (capture) =>
      tokenHead.capture(
        capture,
        model,
        { ...capacity, scored: rows + 5, length: rows },
        { ...options, labelled: true },
      )!
  }
  const step = new Capture(set)
  step.backward(loss(step))
  appendUpdate(step, { ...DEFAULT_OPTIMIZER, name: optimizer })
  const gradients = new Capture(set)
  gradients.backward(loss(gradients))
  const runtime = new Runtime(openForTest({ isa, threads: 2 }), set, {
    step: step.graph,
    gradients: gradients.graph,
  })
  return { runtime, inputs, scalars, set }
}

/** Gives everything back. */
export async function close(runtime: Runtime): Promise<void> {
  runtime.free()
  await closeAfterTest(runtime.device)
}
