/**
 * WGSL that multiplies by matrices of subgroups, for adapters that have none: a lane holds the elements of a result whose numbers are its
 * own by 32, and an operand is its place in workgroup memory, read when it is multiplied. f16 becomes f32, which holds all of
 * it. So code that no adapter here could run is run as it stands, but for these lines: its places, barriers, edges and steps.
 */
import type { KernelSources } from '../../src/device/webgpu/source.js'

type Edit = readonly [from: string | RegExp, to: string]

const matrices = (M: number, N: number, K: number) => `
const M = ${M}u;
const N = ${N}u;
const K = ${K}u;
var<private> lane_of_subgroup: u32;
alias Loaded = vec2u;  // place of the first element, and elements from one row or column to the next
alias Result = array<f32, M * N / 32u>;
${element('left', 'row_major')}${element('left', 'col_major')}${element('right', 'row_major')}${element('right', 'col_major')}
fn multiply_accumulate(a: Loaded, b: Loaded, c: Result) -> Result {
  var sums = c;
  for (var e = 0u; e < M * N / 32u; e++) {
    let i = lane_of_subgroup + e * 32u;
    for (var k = 0u; k < K; k++) {
      var x = left_col_major(a, i / N, k);
      if (LEFT_ALONG_K) {
        x = left_row_major(a, i / N, k);
      }
      var y = right_row_major(b, k, i % N);
      if (RIGHT_ALONG_K) {
        y = right_col_major(b, k, i % N);
      }
      sums[e] += x * y;
    }
  }
  return sums;
}
`

/** The element of a row and a column of an operand. */
const element = (operand: string, order: string) => `
fn ${operand}_${order}(x: Loaded, r: u32, c: u32) -> f32 {
  return ${operand}_tile[x.x + ${order === 'row_major' ? 'r * x.y + c' : 'c * x.y + r'}];
}
`

const EDITS: readonly Edit[] = [
  [/^\/\/ (requires|multiplies) .*\n/gm, ''],
  [/^@diagnostic\(off, chromium\.subgroup_matrix_uniformity\)\n/gm, ''],
  [/subgroupMatrixLoad<subgroup_matrix_\w+<Operand, \w, \w>, \w+>\(&\w+, (\w+), (\w+)\)/g, 'Loaded($1, $2)'],
  [/subgroup_matrix_(left<Operand, K, M>|right<Operand, N, K>)/g, 'Loaded'],
  ['subgroup_matrix_result<f32, N, M>', 'Result'],
  ['subgroupMatrixMultiplyAccumulate(', 'multiply_accumulate('],
  [
    /subgroupMatrixStore<row_major>\(&(\w+), at, x, (\w+)\);/g,
    `for (var e = 0u; e < M * N / 32u; e++) {
    let i = lane_of_subgroup + e * 32u;
    $1[at + i / N * $2 + i % N] = x[e];
  }`,
  ],
  ['  // of this subgroup, in parts of the tile\n', '  lane_of_subgroup = lane % SUBGROUP;\n'],
  ['alias Operand = f16;', 'alias Operand = f32;'],
  ['bitcast<vec4<f16>>(four)', 'vec4f(unpack2x16float(four.x), unpack2x16float(four.y))'],
  // 16 bytes are still so many elements
  ['const PADDING = 8u;', 'const PADDING = 4u;'],
]

/**
 * The sources with variants `subgroup_matrix*` in software, of matrices of M x N and K; products of f16 with steps of so many k,
 * because in f32 operands take twice the memory.
 */
export function matricesInSoftware(
  sources: KernelSources,
  [M, N, K]: readonly [number, number, number],
  step = 32,
): KernelSources {
  const inSoftware = (text: string) =>
    [...EDITS, ['const STEP = 32u;', `const STEP = ${step}u;`] as const].reduce(
      (code, [from, to]) => code.replaceAll(from, to),
      text,
    )
  const shared = Object.fromEntries(
    Object.entries(sources.shared).map(([family, variants]) => [
      family,
      Object.fromEntries(Object.entries(variants).map(([name, text]) => [name, inSoftware(text)])),
    ]),
  )
  const { product_matrices: loop } = shared
  const text = `${matrices(M, N, K)}${loop['']}`
  const left = Object.values({ ...shared, product_matrices: { '': text } })
    .flatMap((variants) => Object.values(variants))
    .find((code) => /subgroupMatrix|subgroup_matrix_|\bf16[;>]/.test(code))
  if (left !== undefined) throw new Error(`matrices of subgroups are left in: ${left.slice(0, 400)}`)
  return { ...sources, shared: { ...shared, product_matrices: { '': text } } }
}
