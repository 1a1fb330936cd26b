/** What one call of a timed function does, from which its speed follows. */
import type { Products } from '../../src/device/kernel.js'

export interface Cost {
  /** Floating-point operations of one call. */
  flops?: number
  /** Of what its products are, where that has a peak of its own. */
  products?: Products
  /** Bytes that one call must move at least. */
  bytes?: number
  /** Other units of work of one call, printed per second: { tokens: 1024 }. */
  units?: Record<string, number>
}
