/**
 * Products on Hopper's tensor cores, as the emulator runs them: every tile and epilogue against float64 loops, at sizes
 * around the edges of tiles, with fewer rows than there may be and NaN in all that must not matter.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCudaProgram } from '../support/cuda_program.js'
import { skip } from '../support/skip.js'

const test = suite('products on Hopper')

interface Line {
  tile: string
  what: string
  sizes: string
  found: string
}

const lines = runCudaProgram<Line>('products')
if ('reason' in lines) skip(test, 'every tile and epilogue', lines.reason)
else {
  for (const tile of new Set(lines.map((line) => line.tile)))
    for (const what of new Set(lines.map((line) => line.what)))
      test(`tiles of ${tile}, ${what}`, () => {
        const own = lines.filter((line) => line.tile === tile && line.what === what)
        assert.ok(own.length >= 5)
        for (const { sizes, found } of own) assert.is(found, '', `${sizes}: ${found}`)
      })
}

test.run()
