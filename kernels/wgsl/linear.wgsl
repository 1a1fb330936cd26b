// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o].
//
// Work split: one workgroup is a tile of 32 x 32 results, one invocation 4 x 4 of them in registers. Sums run in the
// order of the index, in f32.

const TILE = 32u;  // results of a workgroup in each direction: 8 x 8 invocations of 4 x 4

fn tiles(size: u32) -> u32 {
  return (size + TILE - 1u) / TILE;
}

// Four indices from `first` on, `step` apart, those past the end moved onto the last.
fn four(first: u32, step: u32, size: u32) -> vec4u {
  return min(first + step * vec4u(0u, 1u, 2u, 3u), vec4u(size - 1u));
}

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

// ---------------------------------------------------------------- forward

// kernel linear_forward
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(rows / 32) * ceil(out / 32)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let r0 = tile / tiles(params.out) * TILE + lane / 8u * 4u;
  let c0 = tile % tiles(params.out) * TILE + lane % 8u;
  if (r0 >= params.rows || c0 >= params.out) {
    return;
  }
  let r = four(r0, 1u, params.rows);
  let c = four(c0, 8u, params.out);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < params.in; k++) {
    let b = vec4f(weight[c.x * params.in + k], weight[c.y * params.in + k], weight[c.z * params.in + k], weight[c.w * params.in + k]);
    sum0 += x[r.x * params.in + k] * b;
    sum1 += x[r.y * params.in + k] * b;
    sum2 += x[r.z * params.in + k] * b;
    sum3 += x[r.w * params.in + k] * b;
  }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (r0 + i < params.rows && c0 + 8u * j < params.out) {
        let o = c0 + 8u * j;
        y[(r0 + i) * params.out + o] = sums[i][j] + bias[o];
      }
    }
  }
}

// ---------------------------------------------------------------- backward
// dx = dy weight,  dweight += dy^T x,  dbias += sum of the rows of dy

// kernel linear_backward_input
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows / 32) * ceil(in / 32)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let r0 = tile / tiles(params.in) * TILE + lane / 8u * 4u;
  let c0 = tile % tiles(params.in) * TILE + lane % 8u;
  if (r0 >= params.rows || c0 >= params.in) {
    return;
  }
  let r = four(r0, 1u, params.rows);
  let c = four(c0, 8u, params.in);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < params.out; k++) {
    let b = vec4f(weight[k * params.in + c.x], weight[k * params.in + c.y], weight[k * params.in + c.z], weight[k * params.in + c.w]);
    sum0 += dy[r.x * params.out + k] * b;
    sum1 += dy[r.y * params.out + k] * b;
    sum2 += dy[r.z * params.out + k] * b;
    sum3 += dy[r.w * params.out + k] * b;
  }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (r0 + i < params.rows && c0 + 8u * j < params.in) {
        dx[(r0 + i) * params.in + c0 + 8u * j] = sums[i][j];
      }
    }
  }
}

// dx = join(dy weight, other)

// kernel linear_backward_input_joined
struct Params { rows: u32, in: u32, out: u32, join: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> other: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(rows / 32) * ceil(in / 32)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let r0 = tile / tiles(params.in) * TILE + lane / 8u * 4u;
  let c0 = tile % tiles(params.in) * TILE + lane % 8u;
  if (r0 >= params.rows || c0 >= params.in) {
    return;
  }
  let r = four(r0, 1u, params.rows);
  let c = four(c0, 8u, params.in);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < params.out; k++) {
    let b = vec4f(weight[k * params.in + c.x], weight[k * params.in + c.y], weight[k * params.in + c.z], weight[k * params.in + c.w]);
    sum0 += dy[r.x * params.out + k] * b;
    sum1 += dy[r.y * params.out + k] * b;
    sum2 += dy[r.z * params.out + k] * b;
    sum3 += dy[r.w * params.out + k] * b;
  }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (r0 + i < params.rows && c0 + 8u * j < params.in) {
        let at = (r0 + i) * params.in + c0 + 8u * j;
        dx[at] = joined(sums[i][j], other[at], params.join);
      }
    }
  }
}

// kernel linear_backward_weight
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(out / 32) * ceil(in / 32)
@compute @workgroup_size(LANES)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let r0 = tile / tiles(params.in) * TILE + lane / 8u * 4u;
  let c0 = tile % tiles(params.in) * TILE + lane % 8u;
  if (r0 >= params.out || c0 >= params.in) {
    return;
  }
  let r = four(r0, 1u, params.out);
  let c = four(c0, 8u, params.in);
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = 0u; k < params.rows; k++) {
    let b = vec4f(x[k * params.in + c.x], x[k * params.in + c.y], x[k * params.in + c.z], x[k * params.in + c.w]);
    sum0 += dy[k * params.out + r.x] * b;
    sum1 += dy[k * params.out + r.y] * b;
    sum2 += dy[k * params.out + r.z] * b;
    sum3 += dy[k * params.out + r.w] * b;
  }
  let sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      if (r0 + i < params.out && c0 + 8u * j < params.in) {
        dweight[(r0 + i) * params.in + c0 + 8u * j] += sums[i][j];
      }
    }
  }
}

// workgroups: ceil(out / 64)
@compute @workgroup_size(LANES)
fn gradient_of_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = element_index(group, groups, lane);
  if (o >= params.out) {
    return;
  }
  var sum = 0.0;
  for (var n = 0u; n < params.rows; n++) {
    sum += dy[n * params.out + o];
  }
  dbias[o] += sum;
}
