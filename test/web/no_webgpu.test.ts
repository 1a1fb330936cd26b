/** The page in a browser that has no adapter for WebGPU: it says so, and what to do. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { OVERFLOW } from '../support/page_checks.js'
import { textOf, until } from '../support/page_user.js'
import { skip } from '../support/skip.js'
import { DESK, openWebCase } from '../support/web_case.js'

const test = suite('page without WebGPU')

const opened = await openWebCase({ webgpu: false })
const name = 'without WebGPU the page says so, and what to do'

if ('reason' in opened) skip(test, name, opened.reason)
else
  test(name, async () => {
    const { chromium, server } = opened
    const { said } = await chromium.load(server.url, DESK)
    assert.equal(said, [])
    await until(chromium, "!document.querySelector('#no-webgpu').hidden")
    const words = await textOf(chromium, '#no-webgpu')
    for (const word of ['Chrome', 'Firefox', 'Safari', 'npx bioalbert predict'])
      assert.ok(words.includes(word), word)
    assert.match(await textOf(chromium, '#no-webgpu-reason'), 'there is no adapter')
    for (const id of ['#model-folder', '#finetune-run .primary', '#write-run .primary'])
      assert.is(await chromium.evaluate(`document.querySelector('${id}').disabled`), true, id)
    assert.equal(await chromium.evaluate(OVERFLOW), [])
  })

test.after(async () => {
  if ('close' in opened) await opened.close()
})

test.run()
