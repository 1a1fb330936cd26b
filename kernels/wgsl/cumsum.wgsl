// Running sums along the middle axis: y[o,k,i] = sum of x[o,j,i] over j <= k, or over j >= k (`reverse`).
//
// Work split: one workgroup is one o and i, and walks the axis in blocks of 64; a lane is an element of the block and adds
// up those before it in order. So the error grows with the number of blocks.

// ---------------------------------------------------------------- forward

// kernel cumsum_forward
struct Params { outer: u32, axis: u32, inner: u32, reverse: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// workgroups: outer * inner
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = group_index(group, groups);
  if (column >= params.outer * params.inner) {
    return;
  }
  let first = column / params.inner * params.axis * params.inner + column % params.inner;
  var total = 0.0;
  for (var k = 0u; k < params.axis; k += LANES) {
    let inside = k + lane < params.axis;
    let j = select(k + lane, params.axis - 1u - k - lane, params.reverse != 0u);
    let at = first + j * params.inner;
    workgroupBarrier();
    lane_values[lane] = 0.0;
    if (inside) {
      lane_values[lane] = x[at];
    }
    workgroupBarrier();
    var sum = 0.0;
    var own = 0.0;
    for (var i = 0u; i < LANES; i++) {
      sum += lane_values[i];
      own = select(own, sum, i == lane);
    }
    if (inside) {
      y[at] = total + own;
    }
    total += sum;
  }
}
