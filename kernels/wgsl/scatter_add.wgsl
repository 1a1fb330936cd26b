// Sums rows by index: y[n,h] = sum over m with index[m] = n of x[m,h], in the order of m; other rows are zero.
//
// Work split: shared/rows, a row is one of y; its team counts the picks of it, then adds them one after the other.

// ---------------------------------------------------------------- forward

// kernel scatter_add_forward
// form vec4 when: hidden % 4 == 0
// form single
// uses rows
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Vec>;
@group(0) @binding(1) var<storage, read_write> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<Vec>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(rows / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.rows) {
    return;
  }
  let own = row_lane(lane);
  let width = params.hidden / WIDE;
  for (var i = own; i < width; i += TEAM) {
    y[n * width + i] = Vec();
  }
  var count = 0.0;
  for (var m = own; m < params.picks; m += TEAM) {
    count += select(0.0, 1.0, index[m] == n);
  }
  count = row_sum(count, own);
  for (var m = 0u; count > 0.0; m++) {
    if (index[m] == n) {
      for (var i = own; i < width; i += TEAM) {
        y[n * width + i] += x[m * width + i];
      }
      count -= 1.0;
    }
  }
}
