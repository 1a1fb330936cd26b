// Matrix products y = op(a) op(b), one for each of a batch; a_step and b_step lead from one matrix to the next.
//
// Work split: products over tiles (shared/product), tiles of one product after those of another. A form for each order of the
// operands where their fours are whole, and one for any shape.
// uses product

var<private> product: u32;  // number in the batch

// ---------------------------------------------------------------- forward

// kernel matmul_forward
// form LEFT_ALONG_K = true, RIGHT_ALONG_K = false when: transpose_a == 0 && transpose_b == 0 && n % 4 == 0 && k % 4 == 0
// form LEFT_ALONG_K = true, RIGHT_ALONG_K = true when: transpose_a == 0 && transpose_b == 1 && n % 4 == 0 && k % 4 == 0
// form LEFT_ALONG_K = false, RIGHT_ALONG_K = false when: transpose_a == 1 && transpose_b == 0 && n % 4 == 0 && m % 4 == 0
// form LEFT_ALONG_K = false, RIGHT_ALONG_K = true when: transpose_a == 1 && transpose_b == 1 && n % 4 == 0 && m % 4 == 0 && k % 4 == 0
struct Params {
  batch: u32, m: u32, n: u32, k: u32, a_step: u32, b_step: u32, transpose_a: u32, transpose_b: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

fn left4(row: u32, k: u32) -> vec4f {
  let at = product * params.a_step + select(k * params.m + row, row * params.k + k, LEFT_ALONG_K);
  return select(vec4f(), a[at / 4u], LEFT_ALONG_K || k < params.k);
}

fn right4(column: u32, k: u32) -> vec4f {
  let at = product * params.b_step + select(k * params.n + column, column * params.k + k, RIGHT_ALONG_K);
  return select(vec4f(), b[at / 4u], RIGHT_ALONG_K || k < params.k);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  y[((product * params.m + row) * params.n + column) / 4u] = sums;
}

// workgroups: batch * ceil(m / TILE_ROWS) * ceil(n / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = max((params.m + TILE_ROWS - 1u) / TILE_ROWS * ((params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS), 1u);
  product = group_index(group, groups) / tiles;
  if (group_index(group, groups) / tiles < params.batch) {
    product_tile(group_index(group, groups) % tiles, lane, vec3u(params.m, params.n, params.k));
  }
}

// kernel matmul_forward
struct Params {
  batch: u32, m: u32, n: u32, k: u32, a_step: u32, b_step: u32, transpose_a: u32, transpose_b: u32,
}
@group(0) @binding(0) var<storage, read_write> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(row: u32, k: u32) -> vec4f {
  let step = select(1u, params.m, params.transpose_a != 0u);
  let at = product * params.a_step + row * select(params.k, 1u, params.transpose_a != 0u) + k * step;
  return before(params.k, k, vec4f(a[at], a[at + step], a[at + 2u * step], a[at + 3u * step]));
}

fn right4(column: u32, k: u32) -> vec4f {
  let step = select(params.n, 1u, params.transpose_b != 0u);
  let at = product * params.b_step + column * select(1u, params.k, params.transpose_b != 0u) + k * step;
  return before(params.k, k, vec4f(b[at], b[at + step], b[at + 2u * step], b[at + 3u * step]));
}

fn finish(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.n - column); i++) {
    y[(product * params.m + row) * params.n + column + i] = sums[i];
  }
}

// workgroups: batch * ceil(m / TILE_ROWS) * ceil(n / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = max((params.m + TILE_ROWS - 1u) / TILE_ROWS * ((params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS), 1u);
  product = group_index(group, groups) / tiles;
  if (group_index(group, groups) / tiles < params.batch) {
    product_tile(group_index(group, groups) % tiles, lane, vec3u(params.m, params.n, params.k));
  }
}
