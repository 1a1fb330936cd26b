// Dense layer with GELU in its tanh or erf form: z = x weight^T + bias, y = gelu(z); with
// `save` z is saved for backward.
//
// Work split: as linear.wgsl. Backward makes dz here; the rest is linear's.

const TILE = 32u;  // results of a workgroup in each direction: 8 x 8 invocations of 4 x 4

fn tiles(size: u32) -> u32 {
  return (size + TILE - 1u) / TILE;
}

// Four indices from `first` on, `step` apart, those past the end moved onto the last.
fn four(first: u32, step: u32, size: u32) -> vec4u {
  return min(first + step * vec4u(0u, 1u, 2u, 3u), vec4u(size - 1u));
}

// The order of GELU_FORMS in src/ops/linear_gelu.ts: tanh, erf.
fn gelu_form(x: f32, form: u32) -> f32 {
  if (form == 1u) {
    return gelu_erf(x);
  }
  return gelu(x);
}

fn gelu_form_derivative(x: f32, form: u32) -> f32 {
  if (form == 1u) {
    return gelu_erf_derivative(x);
  }
  return gelu_derivative(x);
}

// ---------------------------------------------------------------- forward

// kernel linear_gelu_forward
struct Params { rows: u32, in: u32, out: u32, form: u32, save: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

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
        let value = sums[i][j] + bias[o];
        if (params.save != 0u) {
          z[(r0 + i) * params.out + o] = value;
        }
        y[(r0 + i) * params.out + o] = gelu_form(value, params.form);
      }
    }
  }
}

// ---------------------------------------------------------------- backward

// kernel linear_gelu_backward_activation
struct Params { rows: u32, out: u32, form: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> dz: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows * out / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.rows * params.out) {
    dz[i] = dy[i] * gelu_form_derivative(z[i], params.form);
  }
}
