/**
 * Trains the letter model on a text and lets it write, a letter at a time. It is judged on the last tenth of the text, beside
 * counts of pairs of letters.
 */
import { mean } from '../autograd/functions.js'
import { crossEntropy } from '../autograd/layers.js'
import type { Capture } from '../autograd/tensor.js'
import { Philox } from '../data/random.js'
import { UserError } from '../error.js'
import { dynamic } from '../ops/shape.js'
import type { Evaluator } from '../training/evaluator.js'
import { Trainer } from '../training/trainer.js'
import type { DeviceHolder } from './device.js'
import { LETTER_SIZES, type LetterSizes, letterModel, SMALL_SIZES } from './letter_model.js'
import type { Tell } from './port.js'
import type { Requests } from './protocol.js'
import type { RunControl } from './run_control.js'

type Write = Requests['write']

const RATE = 0.003
/** Batches of held-out text. */
const JUDGED = 10
/** Steps between samples, and their letters. */
const SAMPLE_EVERY = 100
const SAMPLE = 80
/** By which scores are divided before one is drawn: the lower, the safer. */
const TEMPERATURE = 0.8
/** Between the beginnings of sequences: the golden ratio, which spreads them evenly. */
const GOLDEN = 0.618034

/** The run to its end, or until it is stopped: the model writes in either case. */
export async function writeLetters(
  devices: DeviceHolder,
  { text, steps, letters, size }: Write['ask'],
  control: RunControl,
  tell: Tell,
  sizes: LetterSizes = size === 'small' ? SMALL_SIZES : LETTER_SIZES,
): Promise<Write['result']> {
  const data = new LetterText(text, sizes)
  for (const [name, value] of Object.entries({ steps, letters }))
    if (!Number.isInteger(value) || value < 1)
      throw new UserError(`${name}: found ${value}, expected a positive whole number`)
  const device = await devices.get(tell)
  const model = letterModel(data.alphabet.length, sizes)
  const rows = sizes.batch * sizes.length
  const loss = (c: Capture) =>
    mean(crossEntropy(model.logits(c, rows, sizes.batch), c.input('next', [rows], 'i32')).loss)
  const optimizer = { name: 'adamw', beta2: 0.99, biasCorrection: true } as const
  const trainer = await Trainer.create({ device, parameters: model.parameters, loss, optimizer })
  const judge = trainer.evaluator((c) => ({ loss: loss(c) }))
  const writer = trainer.evaluator((c) => ({ logits: model.logits(c, dynamic('rows', sizes.length), 1) }))
  try {
    control.start()
    let step = 0
    while (step < steps && !control.wantsStop) {
      step++
      const rate = RATE * Math.min(step / 50, 1.02 - step / steps)
      const found = await trainer.step(data.training(step), rate)
      tell({ kind: 'step', step, total: steps, loss: found.loss, milliseconds: control.milliseconds })
      if (step % SAMPLE_EVERY === 0)
        tell({ kind: 'sample', step, text: await data.write(writer, Math.min(SAMPLE, letters)) })
      const at = step
      await control.wait((kind) => tell({ kind, step: at }))
    }
    const losses: number[] = []
    for (const batch of data.held) losses.push((await judge.run(batch)).loss[0])
    return {
      steps: step,
      validation: average(losses),
      bigram: data.bigram(),
      text: await data.write(writer, letters),
      interrupted: step < steps,
    }
  } finally {
    writer.free()
    judge.free()
    trainer.free()
  }
}

type Batch = Readonly<Record<'ids' | 'next' | 'places' | 'starts', Int32Array>>

/** A text as numbers of letters, nine tenths to train on, the rest to judge by. */
class LetterText {
  readonly alphabet: readonly string[]
  /** Of the held-out part. */
  readonly held: readonly Batch[]
  private readonly ids: Int32Array
  private readonly end: number
  private readonly places: Int32Array
  private readonly starts: Int32Array

  constructor(
    text: string,
    private readonly sizes: LetterSizes,
  ) {
    const { length: S, batch: B } = sizes
    const all = [...text]
    const least = 20 * S
    if (all.length < least)
      throw new UserError(`the text has ${all.length} letters, expected ${least} or more (better 50,000)`)
    this.alphabet = [...new Set(all)].sort()
    const numbers = new Map(this.alphabet.map((letter, i) => [letter, i]))
    this.ids = Int32Array.from(all, (letter) => numbers.get(letter) ?? 0)
    this.end = Math.floor(0.9 * all.length)
    this.places = integers(B * S, (i) => i % S)
    this.starts = integers(B + 1, (b) => b * S)
    this.held = Array.from({ length: JUDGED }, (_, k) => this.batch(this.end, this.ids.length, k))
  }

  /** Sequences from all over the training part, others for each step. */
  training(step: number): Batch {
    return this.batch(0, this.end, step)
  }

  /** The held-out loss of counts of pairs of letters. */
  bigram(): number {
    const V = this.alphabet.length
    const pairs = new Float64Array(V * V).fill(0.1)
    const firsts = new Float64Array(V).fill(0.1 * V)
    for (let i = 1; i < this.end; i++) {
      pairs[this.ids[i - 1] * V + this.ids[i]]++
      firsts[this.ids[i - 1]]++
    }
    const losses = this.held.map(({ ids, next }) =>
      average(Array.from(ids, (a, i) => Math.log(firsts[a] / pairs[a * V + next[i]]))),
    )
    return average(losses)
  }

  /** So many letters, drawn one after the other behind the beginning of the held-out part, which is not among them. */
  async write(writer: Evaluator<'logits'>, count: number): Promise<string> {
    const { length: S } = this.sizes
    const V = this.alphabet.length
    const random = new Philox(0)
    const given = S / 2
    const written = [...this.ids.subarray(this.end, this.end + given)]
    while (written.length < given + count) {
      const rows = Math.min(written.length, S)
      const ids = Int32Array.from(written.slice(-S))
      const inputs = { ids, places: this.places.slice(0, rows), starts: Int32Array.of(0, rows) }
      const { logits } = await writer.run(inputs, { rows })
      // Gumbel's way to draw
      const drawn = logits.slice(-V).map((z) => z / TEMPERATURE - Math.log(-Math.log(random.uniform())))
      written.push(drawn.indexOf(Math.max(...drawn)))
    }
    return written
      .slice(given)
      .map((i) => this.alphabet[i])
      .join('')
  }

  private batch(from: number, to: number, k: number): Batch {
    const { length: S, batch: B } = this.sizes
    const begin = integers(B, (b) => from + (((k * B + b) * GOLDEN) % 1) * (to - from - S))
    const shifted = (by: number) => integers(B * S, (i) => this.ids[begin[Math.floor(i / S)] + (i % S) + by])
    return { ids: shifted(0), next: shifted(1), places: this.places, starts: this.starts }
  }
}

function integers(n: number, f: (i: number) => number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => f(i))
}

function average(values: readonly number[]): number {
  return values.reduce((a, b) => a + b) / values.length
}
