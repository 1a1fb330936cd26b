/** A part of the page with a heading and an entry in its contents. */
import type { Html } from '../html.js'

export interface Section {
  /** Of its anchor. */
  readonly id: string
  readonly title: string
  readonly body: Html
}
