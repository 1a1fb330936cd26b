/**
 * The places of product/subgroup_matrix.wgsl, which needs an adapter with matrices of subgroups: its functions of places, as they
 * stand there, are computed here, and loads and stores of matrices are modelled element by element.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'

const test = suite('places of matrices of subgroups')

const TILE = 64
const STEP = 16
const PART = 32
const LANES = 128

type Places = Record<
  'element_place' | 'share_place' | 'tile_slot' | 'tile_row',
  (...args: unknown[]) => number
>

/** Functions of unsigned integers in the WGSL, in JavaScript: divisions are of integers, `select` has the second if it holds. */
function placesOf(M: number, N: number, K: number): Places {
  const text = kernelSources().shared.product.subgroup_matrix
  const names = ['element_place', 'share_place', 'tile_slot', 'tile_row'] as const
  const constants = [...text.matchAll(/^const (\w+) = (\d+)u;/gm)].map(
    ([, name, value]) => `const ${name} = ${value}n`,
  )
  const functions = names.map((name) => {
    const [, params, body] = new RegExp(`^fn ${name}\\(([^)]*)\\) -> u32 \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(
      text,
    )!
    const plain = body.replace(/\blet\b/g, 'const').replace(/\b(\d+)u\b/g, '$1n')
    return `function ${name}(${params.replace(/: \w+/g, '')}) {\n${plain}}`
  })
  const code = [
    `const M = ${M}n, N = ${N}n, K = ${K}n, STEP = ${STEP}n`,
    ...constants,
    'const select = (otherwise, then, holds) => (holds ? then : otherwise)',
    ...functions,
    `return { ${names.join(', ')} }`,
  ].join('\n')
  const made = new Function(code)() as Record<string, (...args: unknown[]) => bigint>
  const wide = (value: unknown) => (typeof value === 'number' ? BigInt(value) : value)
  return Object.fromEntries(
    names.map((name) => [name, (...args: unknown[]) => Number(made[name](...args.map(wide)))]),
  ) as Places
}

/** Row (column) and k of element j of four number i of a step, as product_steps.wgsl loads them. */
const elementOf = (i: number, j: number, alongK: boolean): [number, number] =>
  alongK ? [Math.floor(i / 4), (i % 4) * 4 + j] : [(i % 16) * 4 + j, Math.floor(i / 16)]

for (const [M, N, K] of [
  [8, 8, 8],
  [16, 16, 16],
  [8, 16, 16],
  [16, 8, 16],
  [32, 8, 4],
]) {
  const { element_place, share_place, tile_slot, tile_row } = placesOf(M, N, K)
  for (const size of new Set([M, N]))
    for (const alongK of [true, false])
      test(`${M}x${N}x${K}, ${size} ${alongK ? 'along k' : 'along rows'}: a matrix is what was put where it is loaded from`, () => {
        const tile: (number | undefined)[] = new Array(TILE * STEP)
        for (let i = 0; i < (TILE * STEP) / 4; i++)
          for (let j = 0; j < 4; j++) {
            const [row, k] = elementOf(i, j, alongK)
            const at = share_place(i, size, alongK) + j
            assert.is(tile[at], undefined, 'no place is taken twice')
            tile[at] = row * STEP + k
          }
        for (let row = 0; row < TILE; row += size)
          for (let k = 0; k < STEP; k += K)
            for (let r = 0; r < size; r++)
              for (let c = 0; c < K; c++) {
                // rows of the left operand one behind the other, or columns of the right one: K apart; else `size` apart
                const at = element_place(row, k, size, alongK) + (alongK ? r * K + c : c * size + r)
                assert.is(tile[at], (row + r) * STEP + k + c)
              }
      })

  test(`${M}x${N}x${K}: subgroups cover the tile, and every four of it is finished once, in rising order of rows`, () => {
    const results: (number | undefined)[] = new Array(TILE * TILE)
    const last = new Array(LANES).fill(-1)
    const rows = new Map<number, Set<number>>()
    for (let i = 0; i < TILE / M; i++) {
      const band = new Array(M * TILE)
      for (let subgroup = 0; subgroup < LANES / 32; subgroup++) {
        const [partRow, partColumn] = [Math.floor((subgroup * 32) / 64), subgroup % 2]
        if (Math.floor(i / (PART / M)) !== partRow) continue
        for (let j = 0; j < PART / N; j++)
          for (let r = 0; r < M; r++)
            for (let c = 0; c < N; c++) {
              // of sums[i % (PART / M)][j]
              const [row, column] = [partRow * PART + (i % (PART / M)) * M + r, partColumn * PART + j * N + c]
              band[partColumn * PART + j * N + r * TILE + c] = row * TILE + column
            }
      }
      for (let lane = 0; lane < LANES; lane++)
        for (let r = Math.floor(lane / 16); r < M; r += LANES / 16) {
          const [row, column] = [i * M + r, (lane % 16) * 4]
          assert.ok(row > last[lane])
          last[lane] = row
          assert.is(tile_row(lane, tile_slot(row)), row)
          assert.is(tile_slot(row + 5 * TILE), tile_slot(row), 'slots are told by rows of the whole matrix')
          rows.set(row, (rows.get(row) ?? new Set()).add(lane % 16))
          for (let c = 0; c < 4; c++) {
            assert.is(results[row * TILE + column + c], undefined)
            results[row * TILE + column + c] = band[r * TILE + column + c]
          }
        }
    }
    for (const [at, found] of results.entries()) assert.is(found, at)
    assert.ok([...rows.values()].every((lanes) => lanes.size === 16))
  })
}

test.run()
