/** The letter model: it learns an order of letters that pairs do not tell, writes it, and says what counts of pairs would reach. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openCpu } from '../../src/device/cpu.js'
import { DeviceHolder } from '../../src/web/device.js'
import { writeLetters } from '../../src/web/letters.js'
import type { Progress } from '../../src/web/protocol.js'
import { RunControl } from '../../src/web/run_control.js'

const test = suite('letters')

const device = openCpu({ threads: 1 })
const devices = new DeviceHolder(async () => device)
const sizes = { hidden: 32, heads: 2, blocks: 2, length: 16, batch: 16 }
/** After an a it is the letter before that decides: counts of pairs cannot know. */
const PERIOD = 'abaac'
const text = PERIOD.repeat(400)

/** Mean of -ln p over the period, p by counts of pairs; the smoothing of 0.1 shifts it by less than 0.01. */
function pairLoss(): number {
  const follows = [...PERIOD].map((letter, i) => [letter, PERIOD[(i + 1) % PERIOD.length]])
  const share = ([a, b]: string[]) =>
    follows.filter(([c, d]) => a === c && b === d).length / follows.filter(([c]) => a === c).length
  return follows.reduce((sum, pair) => sum - Math.log(share(pair)), 0) / follows.length
}

test('it learns what pairs cannot, and writes it', async () => {
  const heard: Progress[] = []
  const ask = { text, steps: 120, letters: 60 }
  const found = await writeLetters(devices, ask, new RunControl(), (one) => heard.push(one), sizes)
  assert.ok(Math.abs(found.bigram - pairLoss()) < 0.02, `pairs: ${found.bigram}, by hand ${pairLoss()}`)
  assert.ok(found.validation < 0.1, `validation loss ${found.validation}`)
  assert.is(found.steps, 120)
  assert.not(found.interrupted)
  assert.is(found.text.length, 60)
  const wrong = [...found.text.slice(5)].filter((letter, i) => letter !== found.text[i]).length
  assert.ok(wrong <= 6, found.text)
  const steps = heard.flatMap((one) => (one.kind === 'step' ? [one.step] : []))
  assert.equal(
    steps,
    Array.from({ length: 120 }, (_, i) => i + 1),
  )
  assert.is(heard.filter(({ kind }) => kind === 'sample').length, 1)
})

test('the same text gives the same letters, and a stop ends the run with a text', async () => {
  const run = (stopAt: number) => {
    const control = new RunControl()
    const ask = { text, steps: 10, letters: 20 }
    return writeLetters(
      devices,
      ask,
      control,
      (one) => one.kind === 'step' && one.step === stopAt && control.take('stop'),
      sizes,
    )
  }
  const [one, two, stopped] = [await run(11), await run(11), await run(4)]
  assert.equal(two, one)
  assert.ok(stopped.interrupted)
  assert.is(stopped.steps, 4)
  assert.is(stopped.text.length, 20)
})

test('a text that is too short is refused', async () => {
  await writeLetters(devices, { text: 'abc', steps: 1, letters: 1 }, new RunControl(), () => {}, sizes).then(
    () => assert.unreachable(),
    (error) => assert.match(error.message, /the text has 3 letters, expected 320 or more/),
  )
})

test('a run that is held stands still, its clock too', async () => {
  const control = new RunControl()
  control.start()
  control.take('pause')
  const told: string[] = []
  const waiting = control.wait((kind) => told.push(kind))
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(told, ['paused'])
  control.take('resume')
  await waiting
  assert.equal(told, ['paused', 'resumed'])
  assert.ok(control.milliseconds < 250, `${control.milliseconds} ms`)
  assert.not(control.wantsStop)
  control.take('pause')
  const again = control.wait((kind) => told.push(kind))
  control.take('stop')
  await again
  assert.ok(control.wantsStop)
})

test.after(() => device.destroy())

test.run()
