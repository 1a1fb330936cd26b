/** Choices of variants in a page: IndexedDB keeps them from one loading of a page to the next, and its failures are no errors. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type IndexedDb, indexedDbStore } from '../../../src/device/webgpu/indexed_db.js'
import { openChromium } from '../../support/chromium.js'
import { root } from '../../support/paths.js'
import { skip } from '../../support/skip.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('variants in IndexedDB')

test('a database that cannot be opened keeps nothing and fails nobody', async () => {
  const refuses: IndexedDb = {
    open() {
      throw new Error('storage is not allowed here')
    },
  }
  const fails: IndexedDb = {
    open() {
      const request = { result: undefined as never, error: new Error('full'), onsuccess: null, onerror: null }
      setTimeout(() => (request.onerror as unknown as () => void)())
      return request
    },
  }
  for (const database of [refuses, fails]) {
    const store = indexedDbStore(database)
    await store.keep('a', { product: { variant: 'once' } })
    assert.is(await store.recall('a'), undefined)
  }
})

const opened = await openChromium()
if ('reason' in opened) skip(test, 'what a page keeps', opened.reason)
else {
  const { chromium } = opened
  test('what a page keeps is there when it is loaded again', async () => {
    const { outputFiles } = await build({
      entryPoints: [join(root, 'src/device/webgpu/indexed_db.ts')],
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'db',
      write: false,
      logLevel: 'silent',
    })
    const page = join(temporaryFolder(), 'page.html')
    writeFileSync(page, `<!doctype html><title>t</title><script>${outputFiles[0].text}</script>`)
    const view = { width: 400, height: 300 }
    const store = 'db.indexedDbStore(indexedDB)'
    await chromium.load(page, view)
    assert.is(await chromium.evaluate(`${store}.recall('a')`), undefined)
    await chromium.evaluate(
      `${store}.keep('a', { product: { variant: 'once', ms: { once: 1, short: null } } })`,
    )
    await chromium.evaluate(`${store}.keep('b', {})`)
    await chromium.load(page, view)
    assert.equal(await chromium.evaluate(`${store}.recall('a')`), {
      product: { variant: 'once', ms: { once: 1, short: null } },
    })
    assert.equal(await chromium.evaluate(`${store}.recall('b')`), {})
    assert.is(await chromium.evaluate(`${store}.recall('c')`), undefined)
  })
  test.after(() => chromium.close())
}

test.run()
