/** What a pretraining run takes when nothing is said, and how --initializer-range goes with presets and --init. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { preset } from '../../../src/model/config.js'
import { resolveSettings, resumeSettings } from '../../../src/training/pretraining/settings.js'

const test = suite('settings of pretraining')
const limits = { maxLength: 64, maxPredictions: 10, vocabularySize: 100 }
const range = (...choices: Parameters<typeof resolveSettings>) =>
  resolveSettings(...choices).config.initializerRange

test('mini starts from wider weights than the papers, unless told otherwise', () => {
  assert.is(range({ preset: 'mini' }, limits), 0.04)
  assert.is(range({ preset: 'base' }, limits), 0.02)
  assert.is(range({ preset: 'mini', initializerRange: 0.03 }, limits), 0.03)
})

test('a model that is there keeps the range that it was made with', () => {
  assert.is(range({ preset: 'mini' }, limits, preset('mini', 100)), 0.02)
})

test('a resumed run refuses another range, by name', () => {
  const settings = resolveSettings({ preset: 'mini' }, limits)
  assert.equal(resumeSettings(settings, {}, 'out'), settings)
  assert.throws(
    () => resumeSettings(settings, { initializerRange: 0.02 }, 'out'),
    /out: the run was started with initializerRange 0.04, not 0.02/,
  )
})

test.run()
