/**
 * The places of products by matrices of subgroups, which need an adapter that has them: functions and constants of places, as they
 * stand in the WGSL, are computed here, and loads and stores of matrices are modelled element by element.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { matrixConstants, readKernels } from '../../../src/device/webgpu/source.js'
import { kernelSources } from '../../../src/device/webgpu/wgsl_node.js'

const test = suite('places of matrices of subgroups')

const SUBGROUP = 32
const sources = kernelSources()

/** A kernel of each type of operands, and the variant that multiplies them, with sizes M, N and K of matrices. */
const CASES = [
  ['linear_forward', { product: 'subgroup_matrix' }, 'f32', [8, 8, 8]],
  ['linear_forward', { product: 'subgroup_matrix' }, 'f32', [16, 16, 16]],
  ['linear_forward', { product: 'subgroup_matrix' }, 'f32', [16, 8, 4]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix' }, 'f16', [16, 16, 16]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix' }, 'f16', [16, 8, 16]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix' }, 'f16', [16, 8, 8]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix' }, 'f16', [8, 16, 16]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix' }, 'f16', [8, 8, 32]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix_wide' }, 'f16', [16, 16, 16]],
  ['linear_forward_f16', { product_f16: 'subgroup_matrix_wide' }, 'f16', [8, 16, 8]],
] as const

/** Expressions of unsigned integers in the WGSL, in JavaScript: divisions are of integers. */
const plain = (text: string) => text.replace(/\blet\b/g, 'const').replace(/\b(\d+)u\b/g, '$1n')

/** What the WGSL of a kernel says of places: its constants, functions, and the offset and stride of each load of a matrix. */
function placesOf(code: string) {
  const constants = [...code.matchAll(/^const (\w+) = ([^;]+);/gm)]
    .filter(([, , value]) => /^[\w\s+*/()-]+$/.test(value) && !/\d\.|true|false/.test(value))
    .map(([, name, value]) => [name, plain(value)])
  const functions = ['share_place', 'tile_slot', 'tile_row'].map((name) => {
    const pattern = new RegExp(`^fn ${name}\\(([^)]*)\\) -> u32 \\{\\n([\\s\\S]*?)^\\}`, 'm')
    const [, params, body] = pattern.exec(code)!
    return `function ${name}(${params.replace(/: \w+/g, '')}) {\n${plain(body)}}`
  })
  const tiles = [...code.matchAll(/^var<workgroup> (left|right)_tile: array<Operand, (.+)>;/gm)].map(
    ([, operand, size]) => `${operand}_size: () => ${plain(size)}`,
  )
  const matrices = ['left', 'right'].flatMap((operand) => {
    const body = new RegExp(`^fn ${operand}_matrix\\((\\w+): u32[^]*?^\\}`, 'm').exec(code)!
    const loads = [
      ...body[0].matchAll(
        /let at = (.+);\n\s*return subgroupMatrixLoad<(.+), (\w+)_major>\(&(\w+), at, (\w+)\)/g,
      ),
    ]
    assert.equal(
      loads.map(([, , matrix, order, tile]) => `${matrix} ${order} ${tile}`),
      operand === 'left'
        ? [
            'subgroup_matrix_left<Operand, K, M> row left_tile',
            'subgroup_matrix_left<Operand, K, M> col left_tile',
          ]
        : [
            'subgroup_matrix_right<Operand, N, K> col right_tile',
            'subgroup_matrix_right<Operand, N, K> row right_tile',
          ],
    )
    // the first is that of operands along k
    return loads.map(
      ([, at, , , , stride], i) => `${operand}_${i === 0}: (${body[1]}, k) => [${plain(at)}, ${stride}]`,
    )
  })
  const made = new Function(
    [
      ...constants.map(([name, value]) => `const ${name} = ${value}`),
      ...functions,
      `return { constants: { ${constants.map(([name]) => name).join(', ')} }, share_place, tile_slot, tile_row, ${[...tiles, ...matrices].join(', ')} }`,
    ].join('\n'),
  )()
  const narrow = (value: unknown): unknown => (Array.isArray(value) ? value.map(Number) : Number(value))
  const wide = (value: unknown) => (typeof value === 'number' ? BigInt(value) : value)
  return {
    constant: (name: string) => Number(made.constants[name]),
    call: (name: string, ...args: unknown[]) => narrow(made[name](...args.map(wide))) as number,
    load: (name: string, ...args: number[]) => narrow(made[name](...args.map(wide))) as [number, number],
  }
}

for (const [kernel, variants, type, [M, N, K]] of CASES) {
  const shape = `${type} -> f32 ${M}x${N}x${K}`
  const [[family, variant]] = Object.entries(variants)
  const name = `${family}/${variant}, ${M}x${N}x${K}`
  const places = () => placesOf(readKernels(sources, variants, [shape]).get(kernel)![0].entries[0].code)

  for (const operand of ['left', 'right'] as const)
    for (const alongK of [true, false])
      test(`${name}, ${operand} ${alongK ? 'along k' : 'along rows'}: a matrix is what was put where it is loaded from`, () => {
        const { constant, call, load } = places()
        const [STEP, bytes] = [constant('STEP'), type === 'f16' ? 2 : 4]
        const rows = constant(operand === 'left' ? 'TILE_ROWS' : 'TILE_COLUMNS')
        const size = operand === 'left' ? M : N
        const most = call(`${operand}_size`)
        const fours = (rows * STEP) / 4
        assert.is(constant('TILE_LANES') * constant(operand === 'left' ? 'LEFT_FOURS' : 'RIGHT_FOURS'), fours)
        const tile: (number | undefined)[] = new Array(most)
        for (let i = 0; i < fours; i++)
          for (let j = 0; j < 4; j++) {
            // row (column) and k of element j of four number i, as product_shares.wgsl loads them
            const [row, k] = alongK
              ? [Math.floor(i / (STEP / 4)), (i % (STEP / 4)) * 4 + j]
              : [(i % (rows / 4)) * 4 + j, Math.floor(i / (rows / 4))]
            const at = call('share_place', i, rows, alongK) + j
            assert.ok(at < most)
            assert.is(tile[at], undefined, 'no place is taken twice')
            tile[at] = row * STEP + k
          }
        for (let row = 0; row < rows; row += size)
          for (let k = 0; k < STEP; k += K) {
            const [at, stride] = load(`${operand}_${alongK}`, row, k)
            // Vulkan: at the lesser of 16 bytes and a row (column) of the matrix
            const aligned = Math.min(16, (alongK ? K : size) * bytes)
            assert.is((at * bytes) % aligned, 0)
            assert.is((stride * bytes) % aligned, 0)
            for (let r = 0; r < size; r++)
              for (let c = 0; c < K; c++)
                assert.is(tile[at + (alongK ? r * stride + c : c * stride + r)], (row + r) * STEP + k + c)
          }
        // eight neighbours along the stride have their 16 bytes in eight groups of banks
        const [, stride] = load(`${operand}_${alongK}`, 0, 0)
        const groups = new Set(Array.from({ length: 8 }, (_, r) => ((r * stride * bytes) / 16) % 8))
        assert.is(groups.size, 8)
      })

  test(`${name}: subgroups cover the tile, and every four of it is finished once, in rising order of rows`, () => {
    const { constant, call } = places()
    const [ROWS, COLUMNS, LANES] = [constant('TILE_ROWS'), constant('TILE_COLUMNS'), constant('TILE_LANES')]
    const [PART_ROWS, PART_COLUMNS] = [constant('PART_ROWS'), constant('PART_COLUMNS')]
    const [ACROSS, AT_ONCE] = [constant('TILE_ACROSS'), constant('ROWS_AT_ONCE')]
    assert.is(constant('TILE_LANE_ROWS') * AT_ONCE, ROWS)
    const results: (number | undefined)[] = new Array(ROWS * COLUMNS)
    const last = new Array(LANES).fill(-1)
    const rows = new Map<number, Set<number>>()
    for (let i = 0; i < ROWS / M; i++) {
      const band = new Array(M * COLUMNS)
      for (let subgroup = 0; subgroup < LANES / SUBGROUP; subgroup++) {
        const across = constant('PARTS_ACROSS')
        const [partRow, partColumn] = [Math.floor(subgroup / across), subgroup % across]
        if (Math.floor(i / (PART_ROWS / M)) !== partRow) continue
        for (let j = 0; j < PART_COLUMNS / N; j++)
          for (let r = 0; r < M; r++)
            for (let c = 0; c < N; c++) {
              // of sums[i % (PART_ROWS / M)][j]
              const row = partRow * PART_ROWS + (i % (PART_ROWS / M)) * M + r
              const column = partColumn * PART_COLUMNS + j * N + c
              assert.is(band[column + r * COLUMNS], undefined)
              band[column + r * COLUMNS] = row * COLUMNS + column
            }
      }
      for (let lane = 0; lane < LANES; lane++)
        for (let r = Math.floor(lane / ACROSS); r < M; r += AT_ONCE) {
          const [row, column] = [i * M + r, (lane % ACROSS) * 4]
          assert.ok(row > last[lane])
          last[lane] = row
          assert.is(call('tile_row', lane, call('tile_slot', row)), row)
          assert.is(call('tile_slot', row + 5 * ROWS), call('tile_slot', row), 'of rows of the whole matrix')
          rows.set(row, (rows.get(row) ?? new Set()).add(lane % ACROSS))
          for (let c = 0; c < 4; c++) {
            assert.is(results[row * COLUMNS + column + c], undefined)
            results[row * COLUMNS + column + c] = band[r * COLUMNS + column + c]
          }
        }
    }
    for (const [at, found] of results.entries()) assert.is(found, at)
    assert.is(rows.size, ROWS)
    assert.ok([...rows.values()].every((lanes) => lanes.size === ACROSS))
  })
}

test('of what NVIDIA, Intel and Apple list, products of f16 take matrices with sums in f32 only, products of f32 those of f32', () => {
  const { product, product_f16 } = sources.shared
  const sizes = (text: string, listed: readonly string[]) =>
    matrixConstants(text, listed)?.match(/\d+/g)?.join('x')
  const nvidia = ['f16 -> f16 16x16x16', 'f16 -> f32 16x16x16', 'f16 -> f16 16x8x16', 'f16 -> f32 16x8x16']
  const intel = ['f16 -> f16 8x16x16', 'f16 -> f32 8x16x16', 'i8 -> i32 8x16x32']
  const apple = ['f32 -> f32 8x8x8', 'f16 -> f16 8x8x8']
  for (const variant of ['subgroup_matrix', 'subgroup_matrix_wide']) {
    assert.is(sizes(product_f16[variant], nvidia), '16x16x16')
    assert.is(sizes(product_f16[variant], intel), '8x16x16')
    assert.is(sizes(product_f16[variant], apple), undefined)
  }
  assert.is(sizes(product.subgroup_matrix, nvidia), undefined)
  assert.is(sizes(product.subgroup_matrix, intel), undefined)
  assert.is(sizes(product.subgroup_matrix, apple), '8x8x8')
})

test.run()
