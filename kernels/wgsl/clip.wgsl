// y = x held within [low, high]; dx = dy where low <= x <= high, else 0. One invocation is four elements where the number of them is a multiple of four, else one.

fn held(x: f32, low: f32, high: f32) -> f32 {
  return select(select(select(x, low, x < low), high, x > high), x, is_nan(x));
}

fn passed(x: f32, low: f32, high: f32) -> bool {
  return !is_nan(x) && x >= low && x <= high;
}

// ---------------------------------------------------------------- forward

// kernel clip_forward
// when: count % 4 == 0
struct Params { count: u32, low: f32, high: f32 }
@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count / 4u) {
    let v = x[i];
    let low = params.low;
    let high = params.high;
    y[i] = vec4f(held(v.x, low, high), held(v.y, low, high), held(v.z, low, high), held(v.w, low, high));
  }
}

// kernel clip_forward
struct Params { count: u32, low: f32, high: f32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(count / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count) {
    y[i] = held(x[i], params.low, params.high);
  }
}

// ---------------------------------------------------------------- backward

// kernel clip_backward
// when: count % 4 == 0
struct Params { count: u32, low: f32, high: f32 }
@group(0) @binding(0) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(count / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count / 4u) {
    let v = x[i];
    let low = params.low;
    let high = params.high;
    let kept = vec4<bool>(passed(v.x, low, high), passed(v.y, low, high), passed(v.z, low, high), passed(v.w, low, high));
    dx[i] = select(vec4f(), dy[i], kept);
  }
}

// kernel clip_backward
struct Params { count: u32, low: f32, high: f32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(count / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.count) {
    dx[i] = select(0.0, dy[i], passed(x[i], params.low, params.high));
  }
}
