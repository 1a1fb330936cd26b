// Sums rows by index: y[n,h] = sum over m with index[m] = n of x[m,h], in the order of m; other rows are zero.
// One invocation is one element of y and looks at every index.

// ---------------------------------------------------------------- forward

// kernel scatter_add_forward
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows * hidden / 64)
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = element_index(group, groups, lane);
  if (i >= params.rows * params.hidden) {
    return;
  }
  var sum = 0.0;
  for (var m = 0u; m < params.picks; m++) {
    if (index[m] == i / params.hidden) {
      sum += x[m * params.hidden + i % params.hidden];
    }
  }
  y[i] = sum;
}
