/** Runs of training on WebGPU that a person or a kill ends, while kernels are compiled and while it trains, and that are taken up again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { entities } from '../../../src/tasks/entities.js'
import { finetune } from '../../../src/training/finetuning/finetune.js'
import { type FinetuneHooks, Interruption } from '../../../src/training/finetuning/result.js'
import { setUpFinetuning } from '../../../src/training/finetuning/setup_node.js'
import { commandLine } from '../../support/paths.js'
import { skip } from '../../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../../support/swiftshader.js'
import { toyFolder, toyOptions } from '../../support/toy_run.js'

await withSwiftshader()

const test = suite('interrupts on webgpu')
const NAME = 'SIGINT while kernels are compiled ends the run at once, and leaves nothing'
const opened = await openWebgpuForTest()
if ('reason' in opened) skip(test, NAME, opened.reason)
else {
  const { device } = opened
  const folder = toyFolder()
  const out = (name: string) => join(folder, name)

  test(NAME, async () => {
    const argv = 'finetune entities --device webgpu --preset nano --data d --tokenizer v --out o --json'
    const child = spawn(process.execPath, [commandLine, ...argv.split(' ')], { cwd: folder })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
      // told when memory is taken and kernels are being compiled
      if (/^steps: /m.test(stderr) && !child.killed) child.kill('SIGINT')
    })
    const [status] = await once(child, 'close')
    assert.is(status, 130, stderr)
    assert.match(stderr, /interrupted before the first step; the same command with --resume starts it/)
    assert.equal(JSON.parse(stdout), { task: 'entities', interrupted: true, step: 0, out: 'o' })
    assert.not(existsSync(out('o')))
  })

  const run = (name: string, hooks: FinetuneHooks = {}) =>
    finetune(setUpFinetuning(entities, toyOptions(folder, { dropout: 0.1 })), device, out(name), true, hooks)
  const interrupted = (error: unknown) => assert.instance(error, Interruption)
  const outcome = (name: string) => ({
    weights: readFileSync(join(out(name), 'model.safetensors')).toString('base64'),
    predictions: readFileSync(join(out(name), 'test_predictions.tsv'), 'utf8'),
    log: readFileSync(join(out(name), 'log.jsonl'), 'utf8').replace(/,"tokens_per_second":\d+/g, ''),
    folder: readdirSync(out(name)).sort().join(),
  })
  const same = (name: string) => {
    const [found, whole] = [outcome(name), outcome('whole')]
    for (const key of Object.keys(whole) as (keyof typeof whole)[])
      assert.ok(found[key] === whole[key], `${key} of ${name} and of the whole run differ`)
  }

  test('killed or interrupted in the middle and resumed, a run ends in the same bits', async () => {
    // the folder as a kill leaves it: with a claim, behind the checkpoint of step 5
    const between = async (step: number) => {
      if (step === 8) cpSync(out('whole'), out('killed'), { recursive: true, verbatimSymlinks: true })
    }
    await run('whole', { between })
    assert.ok(existsSync(join(out('killed'), 'checkpoint-5')))
    await run('killed')
    same('killed')
    let reached = 0
    const hooks: FinetuneHooks = {
      onStep: ({ step }) => {
        reached = step
      },
      interrupted: () => reached >= 7,
    }
    await run('interrupted', hooks).then(() => assert.unreachable('was not interrupted'), interrupted)
    assert.match(readdirSync(out('interrupted')).join(), /checkpoint-[78]/)
    await run('interrupted')
    same('interrupted')
  })

  test('the device closes', () => device.destroy())
}

test.run()
