/**
 * A GPT over letters, the model of README: B sequences of S letters, H hidden, A heads; in every block attention to the letters
 * before and a dense part of 4 H, each behind a normalisation and added to what came in.
 */
import { add, gather } from '../autograd/functions.js'
import { attention, layernorm, linear, linearGelu } from '../autograd/layers.js'
import type { Capture, Tensor } from '../autograd/tensor.js'
import { type Initializer, normal, ones, type Parameter, ParameterSet, zeros } from '../graph/parameters.js'
import type { Dim } from '../ops/shape.js'

export interface LetterSizes {
  readonly hidden: number
  readonly heads: number
  readonly blocks: number
  /** S, letters of a sequence. */
  readonly length: number
  /** B, sequences of a step. */
  readonly batch: number
}

/** Those of README. */
export const LETTER_SIZES: LetterSizes = { hidden: 128, heads: 4, blocks: 4, length: 64, batch: 32 }

/** A sixtieth of the work of a step. */
export const SMALL_SIZES: LetterSizes = { hidden: 64, heads: 4, blocks: 2, length: 32, batch: 8 }

export interface LetterModel {
  readonly parameters: ParameterSet
  /** Logits [rows, V] of the letters that follow: inputs `ids`, `places` [rows], `starts` [sequences + 1]. */
  logits(capture: Capture, rows: Dim, sequences: number): Tensor
}

/** `letters` is V, the size of the alphabet. */
export function letterModel(letters: number, { hidden: H, heads, blocks, length }: LetterSizes): LetterModel {
  const parameters = new ParameterSet()
  const table = (name: string, rows: number) => parameters.add(name, [rows, H], { init: normal(1) })
  const layer = (name: string, shape: number[], init: Initializer = normal(shape[1] ** -0.5)) => ({
    weight: parameters.add(`${name}.weight`, shape, { init }),
    bias: parameters.add(`${name}.bias`, [shape[0]], { init: zeros }),
  })
  const [known, places] = [table('letters', letters), table('places', length)]
  const [last, head] = [layer('last', [H], ones), layer('head', [letters, H])]
  const layers = Array.from({ length: blocks }, (_, i) => ({
    before: layer(`${i}.before`, [H], ones),
    qkv: layer(`${i}.qkv`, [3 * H, H]),
    out: layer(`${i}.out`, [H, H]),
    between: layer(`${i}.between`, [H], ones),
    up: layer(`${i}.up`, [4 * H, H]),
    down: layer(`${i}.down`, [H, 4 * H]),
  }))
  return {
    parameters,
    logits(c, rows, sequences) {
      const look = (table: Parameter, name: string) =>
        gather(c.parameter(table), c.input(name, [rows], 'i32'))
      const starts = c.input('starts', [sequences + 1], 'i32')
      let x = add(look(known, 'ids'), look(places, 'places'))
      for (const { before, qkv, out, between, up, down } of layers) {
        const asked = linear(layernorm(x, c.layer(before)), c.layer(qkv))
        x = add(x, linear(attention(asked, starts, { heads, causal: true }), c.layer(out)))
        x = add(x, linear(linearGelu(layernorm(x, c.layer(between)), c.layer(up)), c.layer(down)))
      }
      return linear(layernorm(x, c.layer(last)), c.layer(head))
    },
  }
}
