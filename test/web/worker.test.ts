/** The bundle of the worker, run as it is: on `navigator.gpu` and the messages of a global scope, both put there for it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Port } from '../../src/web/port.js'
import { root } from '../support/paths.js'
import { skip } from '../support/skip.js'
import { openWebgpuForTest, withSwiftshader } from '../support/swiftshader.js'
import { taskModel } from '../support/task_model.js'
import { WebClient } from '../support/web_client.js'

await withSwiftshader()
const test = suite('bundle of the worker')

/** What a worker has that Node lacks. */
const scope = globalThis as unknown as Port & { navigator: { gpu?: GPU } }
const opened = await openWebgpuForTest()
const files = (dir: string) =>
  readdirSync(dir).map((name) => new File([new Uint8Array(readFileSync(join(dir, name)))], name))

if ('reason' in opened) skip(test, 'the bundle labels a text', opened.reason)
else {
  const { create } = await import('webgpu')
  Object.defineProperty(globalThis, 'navigator', { value: { gpu: create([]) }, configurable: true })
  await opened.device.destroy()
  const client = new WebClient(
    () => Promise.reject(new Error('the bundle opens its own')),
    (port) => {
      scope.postMessage = port.postMessage
      port.onmessage = (event) => scope.onmessage?.(event)
    },
  )
  await import(pathToFileURL(join(root, 'dist/web/worker.js')).href)

  test('it opens a device, loads a model and labels a text', async () => {
    assert.ok((await client.ask('open', {})).available)
    const dir = await taskModel('entities', { labels: ['O', 'B', 'I'], maxLength: 32 })
    const facts = await client.ask('load', { files: files(dir) })
    assert.equal(facts.labels, ['O', 'B', 'I'])
    const text = 'The patient had severe fever and cough.\nPatients treated with zinc had no fever.'
    const { entities, pieces, milliseconds } = await client.ask('annotate', { text })
    assert.ok(entities.length > 0)
    assert.ok(pieces > 10 && milliseconds > 0)
    for (const { start, end, type, confidence } of entities) {
      assert.match(text.slice(start, end), /^\S([^\n]*\S)?$/)
      assert.is(type, 'ENTITY')
      assert.ok(confidence > 0 && confidence <= 1)
    }
  })

  test('what it does not know fails by name, and nothing ends', async () => {
    const failed = await client.ask('fly' as 'open', {}).catch((error) => error)
    assert.is(failed.message, 'there is no request fly')
    assert.is(failed.user, false)
    assert.ok((await client.ask('open', {})).available)
  })
}

test.run()
