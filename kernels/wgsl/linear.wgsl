// Dense layer: y[n,o] = sum_i x[n,i] weight[o,i] + bias[o].
//
// Work split: one workgroup is a tile of 16 x 16 results; its 256 invocations bring tiles of both operands into
// workgroup memory, 16 terms of the sum at a time. Sums run in order of the index, in f32.

const TILE = 16u;

var<workgroup> left: array<f32, TILE * TILE>;
var<workgroup> right: array<f32, TILE * TILE>;

// Sum over the TILE columns of one row of each tile.
fn multiply_tiles(i: u32, j: u32) -> f32 {
  var sum = 0.0;
  for (var k = 0u; k < TILE; k++) {
    sum += left[i * TILE + k] * right[j * TILE + k];
  }
  return sum;
}

fn tiles(size: u32) -> u32 {
  return (size + TILE - 1u) / TILE;
}

// ---------------------------------------------------------------- forward

// kernel linear_forward
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(rows / 16) * ceil(out / 16)
@compute @workgroup_size(TILE * TILE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let i = lane / TILE;
  let j = lane % TILE;
  let n0 = tile / tiles(params.out) * TILE;
  let o0 = tile % tiles(params.out) * TILE;
  var sum = 0.0;
  for (var k = 0u; k < params.in; k += TILE) {
    left[lane] = 0.0;
    right[lane] = 0.0;
    if (n0 + i < params.rows && k + j < params.in) {
      left[lane] = x[(n0 + i) * params.in + k + j];
    }
    if (o0 + i < params.out && k + j < params.in) {
      right[lane] = weight[(o0 + i) * params.in + k + j];
    }
    workgroupBarrier();
    sum += multiply_tiles(i, j);
    workgroupBarrier();
  }
  if (n0 + i < params.rows && o0 + j < params.out) {
    y[(n0 + i) * params.out + o0 + j] = sum + bias[o0 + j];
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

// workgroups: ceil(rows / 16) * ceil(in / 16)
@compute @workgroup_size(TILE * TILE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let i = lane / TILE;
  let j = lane % TILE;
  let n0 = tile / tiles(params.in) * TILE;
  let i0 = tile % tiles(params.in) * TILE;
  var sum = 0.0;
  for (var k = 0u; k < params.out; k += TILE) {
    left[lane] = 0.0;
    right[j * TILE + i] = 0.0;
    if (n0 + i < params.rows && k + j < params.out) {
      left[lane] = dy[(n0 + i) * params.out + k + j];
    }
    if (k + i < params.out && i0 + j < params.in) {
      right[j * TILE + i] = weight[(k + i) * params.in + i0 + j];
    }
    workgroupBarrier();
    sum += multiply_tiles(i, j);
    workgroupBarrier();
  }
  if (n0 + i < params.rows && i0 + j < params.in) {
    dx[(n0 + i) * params.in + i0 + j] = sum;
  }
}

// kernel linear_backward_weight
struct Params { rows: u32, in: u32, out: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

// workgroups: ceil(out / 16) * ceil(in / 16)
@compute @workgroup_size(TILE * TILE)
fn gradient_of_weight(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = group_index(group, groups);
  let i = lane / TILE;
  let j = lane % TILE;
  let o0 = tile / tiles(params.in) * TILE;
  let i0 = tile % tiles(params.in) * TILE;
  var sum = 0.0;
  for (var k = 0u; k < params.rows; k += TILE) {
    left[j * TILE + i] = 0.0;
    right[j * TILE + i] = 0.0;
    if (k + i < params.rows && o0 + j < params.out) {
      left[j * TILE + i] = dy[(k + i) * params.out + o0 + j];
    }
    if (k + i < params.rows && i0 + j < params.in) {
      right[j * TILE + i] = x[(k + i) * params.in + i0 + j];
    }
    workgroupBarrier();
    sum += multiply_tiles(i, j);
    workgroupBarrier();
  }
  if (o0 + i < params.out && i0 + j < params.in) {
    dweight[(o0 + i) * params.in + i0 + j] += sum;
  }
}

// workgroups: out
@compute @workgroup_size(LANES)
fn gradient_of_bias(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let o = group_index(group, groups);
  if (o >= params.out) {
    return;
  }
  var sum = 0.0;
  for (var n = lane; n < params.rows; n += LANES) {
    sum += dy[n * params.out + o];
  }
  sum = group_sum(sum, lane);
  if (lane == 0u) {
    dbias[o] += sum;
  }
}
