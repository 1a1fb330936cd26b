/**
 * Pretraining steps of ALBERT base in bf16 on a GPU beside PyTorch's: 64 sequences of 512, 256 of 128. A model of nano size, whose
 * kernels are so short that JavaScript and launches count, runs alone.
 */
import { steps } from '../shapes.js'
import { isEmulated } from '../support/device.js'
import { raceStep, type StepCase } from '../support/gpu_step.js'

const cases: StepCase[] = isEmulated
  ? [{ shape: steps.nano_2x16, dropout: 0, turn: 2, beside: true }]
  : [
      { shape: steps.base_64x512, dropout: 0, turn: 5, beside: true },
      { shape: steps.base_256x128, dropout: 0, turn: 5, beside: true },
      { shape: steps.nano_8x32, dropout: 0, turn: 200, beside: false },
    ]
for (const one of cases) await raceStep(one)
