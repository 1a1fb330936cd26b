/** What predict writes, whole or to be gone on with: ends in the middle of removing what a finished run leaves. */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { DocumentOutput } from '../../../src/data/documents/output.js'
import { temporaryFolder } from '../../support/temporary.js'

const test = suite('output of documents')

test('a run that ends while its parts are removed is done, and is begun anew, not gone on with', async () => {
  const out = join(temporaryFolder(), 'found.json')
  const totals = { records: 3, documents: 3, failed: 0, found: 1 }
  const output = open()
  output.add('text')
  const { rmSync } = fs
  // of the parts the first is gone, and then the process
  fs.rmSync = ((path, options) => {
    if (path !== `${out}.partial`) return rmSync(path, options)
    const [part] = fs.readdirSync(path).filter((name) => /\d/.test(name))
    rmSync(join(path, part))
    throw new Error('killed')
  }) as typeof rmSync
  syncBuiltinESMExports()
  try {
    let message = ''
    await output.finish(totals, '').catch((error: Error) => {
      message = error.message
    })
    assert.is(message, 'killed')
  } finally {
    fs.rmSync = rmSync
    syncBuiltinESMExports()
  }
  assert.is(fs.readFileSync(out, 'utf8'), 'text')
  assert.is(open().done.records, 0)

  function open(): DocumentOutput {
    return new DocumentOutput(out, { model: 'm' }, false)
  }
})

test.run()
