// Strided view to contiguous tensor: y[i0,i1,i2,i3] = x[offset + i0 s0 + i1 s1 + i2 s2 + i3 s3].
//
// Work split: forward, one invocation is four neighbours of y where x has them side by side, else one element (as words:
// integers are copied too); of f16 always four, with half the bytes to move. WebGPU has no backward of f16: an element is half a word,
// and those of a word would be added to by two invocations. Backward adds onto x. Where elements of dy never meet there, by the sizes of the strides, the
// same; else those that meet along a dimension of stride 0: the invocation whose indices are 0 there adds them up in
// order. Should other strides make elements meet as well (windows that overlap), one invocation does all.

// uses places

// ---------------------------------------------------------------- forward

// kernel copy_forward
// form words when: d3 % 4 == 0 && s3 == 1 && s0 % 4 == 0 && s1 % 4 == 0 && s2 % 4 == 0 && offset % 4 == 0
// f16 halves when: d3 % 4 == 0 && s3 == 1 && s0 % 4 == 0 && s1 % 4 == 0 && s2 % 4 == 0 && offset % 4 == 0
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3 / 4u);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  y[element] = x[params.offset / 4u + place(i, vec4u(vec4i(params.s0 / 4, params.s1 / 4, params.s2 / 4, 1)))];
}

// kernel copy_forward
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  y[element] = x[params.offset + place(i, vec4u(vec4i(params.s0, params.s1, params.s2, params.s3)))];
}

// kernel copy_forward
// f16 halves
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> y: array<Stored>;
@group(0) @binding(2) var<uniform> params: Params;

fn half_at(place: u32) -> u32 {
  return (x[place / 4u][place % 4u / 2u] >> (place % 2u * 16u)) & 0xffffu;
}

// workgroups: ceil(d0 * d1 * d2 * d3 / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3);
  let four = element_index(group, groups, lane);
  if (four >= d.x * d.y * d.z * d.w / 4u) {
    return;
  }
  let step = u32(params.s3);
  let first = params.offset + place(indices(four * 4u, d), vec4u(vec4i(params.s0, params.s1, params.s2, params.s3)));
  y[four] = vec2u(
    half_at(first) | (half_at(first + step) << 16u),
    half_at(first + 2u * step) | (half_at(first + 3u * step) << 16u),
  );
}

// ---------------------------------------------------------------- backward

// kernel copy_backward
// when: d3 % 4 == 0 && s3 == 1 && s0 % 4 == 0 && s1 % 4 == 0 && s2 % 4 == 0 && offset % 4 == 0 && d0 * d1 == 1 && s2 + (d2 == 1) * d3 >= d3
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 256)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3 / 4u);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  dx[params.offset / 4u + place(i, vec4u(vec4i(params.s0 / 4, params.s1 / 4, params.s2 / 4, 1)))] += dy[element];
}

// kernel copy_backward
// when: d0 * d1 == 1 && s3 > 0 && s2 + (d2 == 1) > 0 && max(s2 - d3 * s3, s3 - d2 * s2) >= 0
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(d0 * d1 * d2 * d3 / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3);
  let element = element_index(group, groups, lane);
  if (element >= d.x * d.y * d.z * d.w) {
    return;
  }
  let i = indices(element, d);
  dx[params.offset + place(i, vec4u(vec4i(params.s0, params.s1, params.s2, params.s3)))] += dy[element];
}

// kernel copy_backward
struct Params { d0: u32, d1: u32, d2: u32, d3: u32, s0: i32, s1: i32, s2: i32, s3: i32, offset: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// Whether elements of different indices never meet, but for dimensions of stride 0.
fn parted(d: vec4u, s: vec4i) -> bool {
  for (var k = 0u; k < 4u; k++) {
    if (d[k] < 2u || s[k] == 0) {
      continue;
    }
    var reach = 0u;
    for (var j = 0u; j < 4u; j++) {
      if (j != k && d[j] > 1u && (abs(s[j]) < abs(s[k]) || (s[j] == s[k] && j < k))) {
        reach += (d[j] - 1u) * u32(abs(s[j]));
      }
    }
    if (reach >= u32(abs(s[k]))) {
      return false;
    }
  }
  return true;
}

// workgroups: ceil(d0 * d1 * d2 * d3 / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let d = vec4u(params.d0, params.d1, params.d2, params.d3);
  let s = vec4i(params.s0, params.s1, params.s2, params.s3);
  let count = d.x * d.y * d.z * d.w;
  let element = element_index(group, groups, lane);
  if (element >= count) {
    return;
  }
  if (!parted(d, s)) {
    if (element == 0u) {
      for (var e = 0u; e < count; e++) {
        dx[params.offset + place(indices(e, d), vec4u(s))] += dy[e];
      }
    }
    return;
  }
  let first = indices(element, d);
  let repeats = select(vec4u(1u), d, s == vec4i(0));
  if (any((first != vec4u(0u)) & (s == vec4i(0)))) {
    return;
  }
  var sum = 0.0;
  let terms = repeats.x * repeats.y * repeats.z * repeats.w;
  for (var t = 0u; t < terms; t++) {
    let i = first + indices(t, repeats);
    sum += dy[((i.x * d.y + i.y) * d.z + i.z) * d.w + i.w];
  }
  dx[params.offset + place(first, vec4u(s))] += sum;
}
