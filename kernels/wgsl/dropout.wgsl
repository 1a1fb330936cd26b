// Dropout (Srivastava et al. 2014): y[e] = x[e] / (1 - p) where word e of plane 0 is at least p 2^32, else 0.
// One invocation is four elements where the number of them is a multiple of four, else one. Four
// elements share one draw; backward draws the same words again.

// ---------------------------------------------------------------- forward

// kernel dropout_forward
// when: count % 4 == 0
struct Params { count: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
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
    let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
    y[i] = x[i] * dropout_factors(site, i, 0u);
  }
}

// kernel dropout_forward
struct Params { count: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
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
    let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
    y[i] = x[i] * dropout_factor(site, i, 0u);
  }
}

// ---------------------------------------------------------------- backward

// kernel dropout_backward
// when: count % 4 == 0
struct Params { count: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
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
    let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
    dx[i] = dy[i] * dropout_factors(site, i, 0u);
  }
}

// kernel dropout_backward
struct Params { count: u32, p: f32, seed: u32, draw: u32, stream: u32, layer: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
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
    let site = Site(params.p, params.seed, params.draw, params.stream, params.layer);
    dx[i] = dy[i] * dropout_factor(site, i, 0u);
  }
}
