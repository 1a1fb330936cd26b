/**
 * Parity with transformers in float64, from the golden files of a family of models: outputs, every gradient by name,
 * and ten steps of LAMB and of AdamW.
 */
import type { suite } from 'uvu'
import { optimizerInputs } from '../../src/training/optimizer.js'
import { openGolden, weightsInto } from './albert_golden.js'
import { allclose } from './allclose.js'
import { isFew } from './cases.js'
import { buildGolden, close } from './golden_program.js'
import { isJudged, testedIsas } from './op_check.js'
import { onSet } from './tally.js'

/** Adds the tests of one golden case, of the folder that is called after its family or after what its cases are of. */
export function checkParity(test: ReturnType<typeof suite>, folder: string, name: string): void {
  const golden = openGolden(name, folder)
  for (const isa of testedIsas())
    for (const recompute of isJudged() || isFew ? [false] : [false, true])
      test(
        `${name}: outputs and every gradient (${isa}${recompute ? ', recompute' : ''})`,
        onSet(isa, async () => {
          const { runtime, inputs, scalars, set } = buildGolden(golden, isa, 'lamb', { recompute })
          try {
            await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
            await runtime.run('gradients', inputs, scalars)
            const output = async (key: string) => runtime.read('gradients', key)
            allclose(await output('loss'), golden.floats('outputs/loss'), { rtol: 1e-5, name: 'loss' })
            if (golden.json.kind === 'pretraining') {
              const mlm = (await output('mlm_loss')).map((v) => v * scalars.mlm_scale)
              const sop = (await output('sop_loss')).map((v) => v * scalars.sop_scale)
              allclose(mlm, golden.floats('outputs/mlm_loss'), { rtol: 1e-5, name: 'mlm loss' })
              allclose(sop, golden.floats('outputs/sop_loss'), { rtol: 1e-5, name: 'sop loss' })
            } else {
              const logits = await runtime.read('gradients', 'logits', scalars.scored)
              allclose(logits, golden.floats('outputs/logits'), { rtol: 1e-5, atol: 1e-5, name: 'logits' })
            }
            const gradients = await runtime.readState('gradients')
            for (const s of set.segments)
              allclose(
                gradients.subarray(s.offset, s.offset + s.size),
                golden.floats(`gradients/${s.name}`),
                {
                  rtol: 1e-4,
                  atol: 2e-6,
                  name: `gradient of ${s.name}`,
                },
              )
            const golden_names = [...golden.tensors.keys()].filter((k) => k.startsWith('gradients/'))
            const ours = new Set(set.segments.map((s) => `gradients/${s.name}`))
            const missing = golden_names.filter((k) => !ours.has(k))
            if (missing.length > 0) throw new Error(`no parameter for ${missing.join(', ')}`)
          } finally {
            await close(runtime)
          }
        }),
      )
  // one optimizer a case is enough of a device, whose parts are judged one by one
  const optimizers = isJudged()
    ? ([golden.json.kind === 'pretraining' ? 'lamb' : 'adamw'] as const)
    : (['lamb', 'adamw'] as const)
  for (const [optimizer, isa] of optimizers.flatMap((o) => testedIsas().map((isa) => [o, isa] as const)))
    test(
      `${name}: ten ${optimizer} steps (${isa})`,
      onSet(isa, async () => {
        const { runtime, inputs, scalars, set } = buildGolden(golden, isa, optimizer)
        try {
          await runtime.writeState('parameters', weightsInto(set, golden, 'weights'))
          const rates = golden.floats(`${optimizer}/lr`)
          const losses: number[] = []
          const norms: number[] = []
          for (const lr of rates) {
            await runtime.run(
              'step',
              { ...inputs, ...optimizerInputs(set) },
              { ...scalars, lr, correction1: 1, correction2: 1 },
            )
            losses.push((await runtime.read('step', 'loss'))[0])
            norms.push((await runtime.read('step', 'grad_norm'))[0])
          }
          allclose(losses, golden.floats(`${optimizer}/losses`), { rtol: 1e-5, atol: 1e-5, name: 'losses' })
          allclose(norms, golden.floats(`${optimizer}/grad_norms`), { rtol: 1e-4, atol: 1e-5, name: 'norms' })
          const weights = await runtime.readState('parameters')
          for (const s of set.segments) {
            if (!golden.has(`${optimizer}/weights/${s.name}`)) continue
            allclose(
              weights.subarray(s.offset, s.offset + s.size),
              golden.floats(`${optimizer}/weights/${s.name}`),
              {
                rtol: 1e-4,
                atol: 5e-5,
                name: s.name,
              },
            )
          }
        } finally {
          await close(runtime)
        }
      }),
    )
}
