import { lamb } from '../../src/ops/lamb.js'
import { benchUpdate } from '../support/update.js'

await benchUpdate(lamb, true)
