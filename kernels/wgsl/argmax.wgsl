// Place of the maximum over the middle axis: y[o,i] = the lowest k with the largest x[o,k,i]. A NaN counts as larger than
// everything; of an empty axis the place is -1.
//
// Work split: shared/rows, one row is one output; one read of x. Each invocation keeps the best that it has met; the
// largest value of all is found, then the lowest place of those that have it, by halves of 16 bits that are exact as floats.
// uses rows

// The lowest of numbers.
fn row_least(value: u32, lane: u32) -> u32 {
  return u32(-row_max(-f32(value), lane));
}

// ---------------------------------------------------------------- forward

// kernel argmax_forward
struct Params { outer: u32, axis: u32, inner: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<i32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: ceil(outer * inner / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.outer * params.inner) {
    return;
  }
  let start = n / params.inner * params.axis * params.inner + n % params.inner;
  let own = row_lane(lane);
  var best = -bitcast<f32>(infinity_bits);
  var place = own;
  for (var k = own; k < params.axis; k += TEAM) {
    let v = x[start + k * params.inner];
    if (!is_nan(best) && (is_nan(v) || v > best)) {
      best = v;
      place = k;
    }
  }
  let most = row_max(best, own);
  let is_best = own < params.axis && select(best == most, is_nan(best), is_nan(most));
  let high = row_least(select(0xffffu, place >> 16u, is_best), own);
  let low = row_least(select(0xffffu, place & 0xffffu, is_best && place >> 16u == high), own);
  if (own == 0u) {
    y[n] = select(i32((high << 16u) | low), -1, params.axis == 0u);
  }
}
