/** The golden cases of test/golden/heads.py: their heads, their examples, and programs over them on the device that is judged. */
import { Capture } from '../../src/autograd/tensor.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { Runtime } from '../../src/graph/runtime.js'
import type { EncodeOptions } from '../../src/model/encoder.js'
import type { Example, Head } from '../../src/model/head.js'
import { spanHead } from '../../src/model/question_answering.js'
import { classHead, labelHead, scoreHead } from '../../src/model/sequence_classification.js'
import { type Golden, openGolden, weightsInto } from './albert_golden.js'
import { closeAfterTest, openForTest } from './op_check.js'

export const HEADS = { class: classHead, label: labelHead, score: scoreHead, span: spanHead }
export type Kind = keyof typeof HEADS
export const KINDS = Object.keys(HEADS) as Kind[]

export interface HeadCase {
  readonly kind: Kind
  readonly head: Head
  readonly golden: Golden
  readonly outputs: number
  readonly examples: readonly Example[]
}

export function openHeadCase(family: string, kind: Kind): HeadCase {
  const golden = openGolden(`${family}_${kind}`, 'heads')
  const { outputs, examples } = golden.json
  const type = kind === 'class' || kind === 'span' ? Int32Array : Float32Array
  return {
    kind,
    head: HEADS[kind],
    golden,
    outputs,
    examples: examples.map(
      (
        { ids, second, targets }: { ids: number[]; second: number; targets: number | number[] },
        item: number,
      ) => ({
        ids: Int32Array.from(ids),
        second,
        scored: Int32Array.from(kind === 'span' ? ids.keys() : [0]),
        targets: type.from([targets].flat()),
        item,
      }),
    ),
  }
}

/** A batch as the contract of heads says, written down once more. */
export function batchOf(head: Head, examples: readonly Example[], length: number, labelled = true) {
  const ids = examples.flatMap((e) => [...e.ids])
  const starts = [0]
  for (const e of examples) starts.push(starts.at(-1)! + e.ids.length)
  const scored = examples.flatMap((e, i) => [...e.scored].map((at) => starts[i] + at))
  const ints = (values: number[]) => Int32Array.from(values)
  return {
    inputs: {
      ids: ints(ids),
      segments: ints(examples.flatMap((e) => [...e.ids.keys()].map((at) => (at < e.second! ? 0 : 1)))),
      positions: ints(examples.flatMap((e) => [...e.ids.keys()])),
      cu_seqlens: ints(starts),
      scored_rows: ints(scored),
      ...head.inputs(examples, labelled, length),
    },
    scalars: { rows: ids.length, sequences: examples.length, scored: scored.length, seed: 0, draw: 0 },
  }
}

export type BuildOptions = Omit<EncodeOptions, 'training'> & { isa?: string; classifierDropout?: number }

/** Most pieces of a sequence in the programs, which is more than any has. */
export const LENGTH = 16

/** Programs `train` (gradients, no update), `score` (loss) and `answer` (no targets) with the golden weights. */
export async function buildHead(
  { head, golden, outputs, examples }: HeadCase,
  { isa, classifierDropout = 0, ...encoder }: BuildOptions,
) {
  const set = new ParameterSet()
  const model = head.declare(set, { ...golden.config, classifierDropout }, outputs)
  const count = (of: 'ids' | 'scored') => examples.reduce((n, e) => n + e[of].length, 0)
  // capacities beyond what is there: nothing may depend on them
  const capacity = {
    rows: count('ids') + 9,
    sequences: examples.length + 2,
    scored: count('scored') + 5,
    length: LENGTH,
  }
  const program = (training: boolean, labelled: boolean) => {
    const capture = new Capture(set)
    const loss = head.capture(capture, model, capacity, { ...encoder, training, labelled })
    if (training) capture.backward(loss!)
    return capture.graph
  }
  const runtime = new Runtime(openForTest({ isa, threads: 2 }), set, {
    train: program(true, true),
    score: program(false, true),
    answer: program(false, false),
  })
  await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
  return { runtime, set }
}

/** Gives everything back. */
export async function close(runtime: Runtime): Promise<void> {
  runtime.free()
  await closeAfterTest(runtime.device)
}
