// Dense layer with GELU in its tanh or erf form: z = x weight^T + bias, y = gelu(z); with
// `save` z is saved for backward.
//
// Work split: as linear.wgsl. Backward makes dz here; the rest is linear's. In f16 all but bias has half the bytes: y and z 4 bytes
// an element instead of 8, and for dz 6 instead of 12.

// The order of GELU_FORMS in src/ops/linear_gelu.ts: tanh, erf.
fn gelu_form(x: f32, form: u32) -> f32 {
  if (form == 1u) {
    return gelu_erf(x);
  }
  return gelu(x);
}

fn gelu_form4(x: vec4f, form: u32) -> vec4f {
  return vec4f(gelu_form(x.x, form), gelu_form(x.y, form), gelu_form(x.z, form), gelu_form(x.w, form));
}

fn gelu_form_derivative(x: f32, form: u32) -> f32 {
  if (form == 1u) {
    return gelu_erf_derivative(x);
  }
  return gelu_derivative(x);
}

fn gelu_form_derivative4(x: vec4f, form: u32) -> vec4f {
  return vec4f(
    gelu_form_derivative(x.x, form), gelu_form_derivative(x.y, form), gelu_form_derivative(x.z, form), gelu_form_derivative(x.w, form),
  );
}

// ---------------------------------------------------------------- forward

// kernel linear_gelu_forward
// form vec4, plain, stored_product when: in % 4 == 0 && out % 4 == 0
// f16 vec4, halves, product_f16
struct Params { rows: u32, in: u32, out: u32, form: u32, save: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> weight: array<Stored>;
@group(0) @binding(2) var<storage, read_write> bias: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<Stored>;
@group(0) @binding(4) var<storage, read_write> z: array<Stored>;
@group(0) @binding(5) var<uniform> params: Params;

const LEFT_ALONG_K = true;
const RIGHT_ALONG_K = true;

fn left4(row: u32, k: u32) -> Operands {
  return operands(x[(row * params.in + k) / 4u]);
}

fn right4(column: u32, k: u32) -> Operands {
  return operands(weight[(column * params.in + k) / 4u]);
}

fn finish(row: u32, column: u32, sums: vec4f) {
  let at = (row * params.out + column) / 4u;
  let value = sums + bias[column / 4u];
  if (params.save != 0u) {
    z[at] = stored(value);
  }
  y[at] = stored(gelu_form4(value, params.form));
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

// kernel linear_gelu_forward
// uses product
struct Params { rows: u32, in: u32, out: u32, form: u32, save: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

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
    let at = row * params.out + column + i;
    let value = sums[i] + bias[column + i];
    if (params.save != 0u) {
      z[at] = value;
    }
    y[at] = gelu_form(value, params.form);
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

// kernel linear_gelu_backward_activation
// form vec4, plain when: out % 4 == 0
// f16 vec4, halves
struct Params { rows: u32, out: u32, form: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> z: array<Stored>;
@group(0) @binding(2) var<storage, read_write> dz: array<Stored>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows * out / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i < params.rows * params.out / 4u) {
    dz[i] = stored(loaded(dy[i]) * gelu_form_derivative4(loaded(z[i]), params.form));
  }
}

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
