// Running sums along the middle axis: y[o,k,i] = sum of x[o,j,i] over j <= k, or over j >= k (`reverse`).
//
// Work split: shared/rows, one row is one o and i. Its invocations take the axis in blocks of 64, so the error grows with the
// number of blocks.
// uses rows

// ---------------------------------------------------------------- forward

// kernel cumsum_forward
struct Params { outer: u32, axis: u32, inner: u32, reverse: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
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
  var sum = 0.0;
  for (var block = 0u; block < params.axis; block += LANES) {
    var part = 0.0;
    for (var k = block; k < min(block + LANES, params.axis); k += TEAM) {
      let inside = k + own < params.axis;
      let at = start + select(k + own, params.axis - 1u - k - own, params.reverse != 0u) * params.inner;
      var v = 0.0;
      if (inside) {
        v = x[at];
      }
      let run = row_scan(v, own);
      if (inside) {
        y[at] = sum + (part + run.x);
      }
      part += run.y;
    }
    sum += part;
  }
}
