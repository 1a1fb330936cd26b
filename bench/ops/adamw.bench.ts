import { adamw } from '../../src/ops/adamw.js'
import { benchUpdate } from '../support/update.js'

await benchUpdate(adamw, false)
