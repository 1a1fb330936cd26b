/** Pretraining steps as pretraining.bench.ts has them, with the dropout of ALBERT's first version. */
import { steps } from '../shapes.js'
import { isEmulated } from '../support/device.js'
import { raceStep } from '../support/gpu_step.js'

const shape = isEmulated ? steps.nano_2x16 : steps.base_64x512
await raceStep({ shape, dropout: 0.1, turn: isEmulated ? 2 : 5, beside: true })
