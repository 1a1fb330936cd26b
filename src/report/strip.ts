/** A score with its interval as a small drawing in a cell of a table: what the numbers beside it say, at a glance. */

import { PALETTE } from '../profile/picture.js'
import { type Html, html } from './html.js'
import type { Interval } from './model.js'

const WIDTH = 150
const HEIGHT = 16
const MARGIN = 5
const [INK] = PALETTE.ink
const [BLUE] = PALETTE.f32
const [GRID] = PALETTE.grid
const [GROUND] = PALETTE.ground

/** What the left and the right end of all strips of a table stand for. */
export interface Scale {
  readonly low: number
  readonly high: number
}

/** From the smallest to the largest value; undefined without values. */
export function scaleOf(values: readonly number[]): Scale | undefined {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return undefined
  const [low, high] = [Math.min(...finite), Math.max(...finite)]
  const room = high > low ? 0 : 0.01
  return { low: low - room, high: high + room }
}

export interface Mark {
  readonly value: number
  readonly interval: Interval | null
  /** Each seed. */
  readonly dots: readonly number[]
  /** Of somebody else. */
  readonly hollow?: boolean
  /** A line to compare with, such as zero. */
  readonly from?: number
}

export function strip(scale: Scale, { value, interval, dots, hollow, from }: Mark): Html {
  const x = (number: number) => {
    const share = (number - scale.low) / (scale.high - scale.low)
    return (MARGIN + Math.min(1, Math.max(0, share)) * (WIDTH - 2 * MARGIN)).toFixed(1)
  }
  const middle = HEIGHT / 2
  return html`<svg class="strip" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true"><line x1="0" y1="${middle}" x2="${WIDTH}" y2="${middle}" stroke="${GRID}"/>${
    from !== undefined && html`<line x1="${x(from)}" y1="0" x2="${x(from)}" y2="${HEIGHT}" stroke="${INK}"/>`
  }${
    interval &&
    html`<line x1="${x(interval[0])}" y1="${middle}" x2="${x(interval[1])}" y2="${middle}" stroke="${BLUE}" stroke-width="3"/>`
  }${dots.map((dot) => html`<line x1="${x(dot)}" y1="2" x2="${x(dot)}" y2="${HEIGHT - 2}" stroke="${BLUE}" stroke-opacity="0.5"/>`)}<circle cx="${x(value)}" cy="${middle}" r="4" stroke="${hollow ? INK : BLUE}" fill="${hollow ? GROUND : BLUE}" stroke-width="1.5"/></svg>`
}
