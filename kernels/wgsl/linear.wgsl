// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o].
//
// Work split: products over tiles (shared/product). Each kernel has a form for widths that are multiples of four, which loads and
// stores fours, and one for any width. Sums run in the order of the index, in f32.
//
// In f16 x, y, their gradients and the packed weight have 2 bytes an element instead of 4: of what tiles load, and of what is
// stored but bias, dweight and dbias, half. Products are of f16 where the adapter has matrices for them (shared/product_f16), else of
// f32; sums are f32 either way.

// The order of JOINS in src/ops/linear.ts: add, gelu_tanh, gelu_erf.
fn joined(product: f32, other: f32, join: u32) -> f32 {
  switch join {
    case 1u: {
      return product * gelu_derivative(other);
    }
    case 2u: {
      return product * gelu_erf_derivative(other);
    }
    default: {
      return product + other;
    }
  }
}

fn joined4(product: vec4f, other: vec4f, join: u32) -> vec4f {
  return vec4f(
    joined(product.x, other.x, join), joined(product.y, other.y, join), joined(product.z, other.z, join), joined(product.w, other.w, join),
  );
}

// ---------------------------------------------------------------- forward

// kernel linear_forward
// form vec4, plain, stored_product when: in % 4 == 0 && out % 4 == 0
// f16 vec4, halves, product_f16
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weight: array<Stored>;
@group(0) @binding(2) var<storage, read_write> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(row: u32, k: u32) -> Operands {
  return operands(x[(row * params.in + k) / 4u]);
}

fn right4(column: u32, k: u32) -> Operands {
  return operands(weight[(column * params.in + k) / 4u]);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  y[(row * params.out + column) / 4u] = stored(sums + bias[column / 4u]);
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(out / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.out, params.in));
}

// kernel linear_forward
// uses product
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(row: u32, k: u32) -> vec4f {
  let at = row * params.in + k;
  return before(params.in, k, vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]));
}

fn right4(column: u32, k: u32) -> vec4f {
  let at = column * params.in + k;
  return before(params.in, k, vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]));
}

fn finish(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.out - column); i++) {
    y[row * params.out + column + i] = sums[i] + bias[column + i];
  }
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(out / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.out, params.in));
}

// ---------------------------------------------------------------- backward
// dx = dy weight,  dweight += dy^T x,  dbias += sum of the rows of dy

// kernel linear_backward_input
// form vec4, plain, stored_product when: in % 4 == 0 && out % 4 == 0
// f16 vec4, halves, product_f16
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weight: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(3) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> Operands {
  return operands(dy[(row * params.out + k) / 4u]);
}

fn right4(column: u32, k: u32) -> Operands {
  return select(Operands(), operands(weight[(k * params.in + column) / 4u]), k < params.out);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  dx[(row * params.in + column) / 4u] = stored(sums);
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.in, params.out));
}

// kernel linear_backward_input
// uses product
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> vec4f {
  let at = row * params.out + k;
  return before(params.out, k, vec4f(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]));
}

fn right4(column: u32, k: u32) -> vec4f {
  let at = k * params.in + column;
  return select(vec4f(), vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]), k < params.out);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.in - column); i++) {
    dx[row * params.in + column + i] = sums[i];
  }
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.in, params.out));
}

// dx = join(dy weight, other)

// kernel linear_backward_input_joined
// form vec4, plain, stored_product when: in % 4 == 0 && out % 4 == 0
// f16 vec4, halves, product_f16
struct Params { rows: u32, in: u32, out: u32, join: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weight: array<Stored>;
@group(0) @binding(2) var<storage, read_write> other: array<Stored>;
@group(0) @binding(3) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> Operands {
  return operands(dy[(row * params.out + k) / 4u]);
}

fn right4(column: u32, k: u32) -> Operands {
  return select(Operands(), operands(weight[(k * params.in + column) / 4u]), k < params.out);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  let at = (row * params.in + column) / 4u;
  dx[at] = stored(joined4(sums, loaded(other[at]), params.join));
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.in, params.out));
}

// kernel linear_backward_input_joined
// uses product
struct Params { rows: u32, in: u32, out: u32, join: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> other: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> vec4f {
  let at = row * params.out + k;
  return before(params.out, k, vec4f(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]));
}

fn right4(column: u32, k: u32) -> vec4f {
  let at = k * params.in + column;
  return select(vec4f(), vec4f(weight[at], weight[at + 1u], weight[at + 2u], weight[at + 3u]), k < params.out);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.in - column); i++) {
    let at = row * params.in + column + i;
    dx[at] = joined(sums[i], other[at], params.join);
  }
}

// workgroups: ceil(rows / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.rows, params.in, params.out));
}

// kernel linear_backward_weight
// form vec4, plain, stored_product when: in % 4 == 0 && out % 4 == 0
// f16 vec4, halves, product_f16
// uses column_sums
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> x: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dbias: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = false;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> Operands {
  return select(Operands(), operands(dy[(k * params.out + row) / 4u]), k < params.rows);
}

fn right4(column: u32, k: u32) -> Operands {
  return select(Operands(), operands(x[(k * params.in + column) / 4u]), k < params.rows);
}

fn row4(column: u32, n: u32) -> vec4f {
  return loaded(dy[(n * params.out + column) / 4u]);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  dweight[(row * params.in + column) / 4u] += sums;
}

// workgroups: ceil(out / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.out, params.in, params.rows));
}

// workgroups: ceil(out / (4 * SUM_FOURS))
@compute @workgroup_size(SUM_LANES)
fn gradient_of_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (group_index(group, groups) * SUM_FOURS + lane % SUM_FOURS) * 4u;
  let sum = sum_of_rows(o, lane, params.rows);
  if (lane < SUM_FOURS && o < params.out) {
    dbias[o / 4u] += sum;
  }
}

// kernel linear_backward_weight
// uses product, column_sums
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const LEFT_ALONG_K = false;
const RIGHT_ALONG_K = false;

fn left4(row: u32, k: u32) -> vec4f {
  let at = k * params.out + row;
  return select(vec4f(), vec4f(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]), k < params.rows);
}

fn right4(column: u32, k: u32) -> vec4f {
  let at = k * params.in + column;
  return select(vec4f(), vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]), k < params.rows);
}

fn row4(column: u32, n: u32) -> vec4f {
  return left4(column, n);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  for (var i = 0u; i < min(4u, params.in - column); i++) {
    dweight[row * params.in + column + i] += sums[i];
  }
}

// workgroups: ceil(out / TILE_ROWS) * ceil(in / TILE_COLUMNS)
@compute @workgroup_size(TILE_LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  product_tile(group_index(group, groups), lane, vec3u(params.out, params.in, params.rows));
}

// workgroups: ceil(out / (4 * SUM_FOURS))
@compute @workgroup_size(SUM_LANES)
fn gradient_of_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = (group_index(group, groups) * SUM_FOURS + lane % SUM_FOURS) * 4u;
  let sum = sum_of_rows(o, lane, params.rows);
  if (lane < SUM_FOURS && o < params.out) {
    for (var i = 0u; i < min(4u, params.out - o); i++) {
      dbias[o + i] += sum[i];
    }
  }
}
