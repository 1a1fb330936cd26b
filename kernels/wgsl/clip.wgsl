// y = x held within [low, high]; dx = dy where low <= x <= high, else 0. One invocation is one element.

// ---------------------------------------------------------------- forward

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
    var v = x[i];
    if (!is_nan(v)) {
      v = select(v, params.low, v < params.low);
      v = select(v, params.high, v > params.high);
    }
    y[i] = v;
  }
}

// ---------------------------------------------------------------- backward

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
    let inside = !is_nan(x[i]) && x[i] >= params.low && x[i] <= params.high;
    dx[i] = select(0.0, dy[i], inside);
  }
}
