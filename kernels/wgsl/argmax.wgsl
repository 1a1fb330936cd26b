// Place of the maximum over the middle axis: y[o,i] = the lowest k with the largest x[o,k,i]. A NaN counts as larger than
// everything; of an empty axis the place is -1.
//
// Work split: one workgroup is one output. Each lane walks the axis with a stride of 64, then the first lane compares what
// the lanes have found.

var<workgroup> places: array<u32, LANES>;

// Whether a at place i comes before b at place j.
fn beats(a: f32, i: u32, b: f32, j: u32) -> bool {
  if (is_nan(a) || is_nan(b)) {
    return is_nan(a) && (!is_nan(b) || i < j);
  }
  return a > b || (a == b && i < j);
}

// ---------------------------------------------------------------- forward

// kernel argmax_forward
struct Params { outer: u32, axis: u32, inner: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<i32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: outer * inner
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let output = group_index(group, groups);
  if (output >= params.outer * params.inner) {
    return;
  }
  let first = output / params.inner * params.axis * params.inner + output % params.inner;
  var place = min(lane, max(params.axis, 1u) - 1u);
  for (var k = lane + LANES; k < params.axis; k += LANES) {
    if (beats(x[first + k * params.inner], k, x[first + place * params.inner], place)) {
      place = k;
    }
  }
  places[lane] = place;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < min(LANES, params.axis); i++) {
      let k = places[i];
      if (beats(x[first + k * params.inner], k, x[first + place * params.inner], place)) {
        place = k;
      }
    }
    y[output] = select(i32(place), -1, params.axis == 0u);
  }
}
