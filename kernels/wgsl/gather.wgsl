// Rows by index: y[m,h] = x[index[m],h]; an index outside gives zeros and sends no gradient.
//
// Work split: forward, one invocation is one element of a row. Backward, shared/rows, a row is one pick: it counts the
// picks of its row together with its team, and if none is before it adds the gradients of all, in their order, so a
// row of x has one owner. In f16 half the bytes move; each sum is rounded where it is stored.

// ---------------------------------------------------------------- forward

// kernel gather_forward
// form vec4, plain when: hidden % 4 == 0
// form single, plain
// f16 vec4, halves
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> x: array<Stored>;
@group(0) @binding(1) var<storage, read_write> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<Stored>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(picks * hidden / (64 * WIDE))
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let e = element_index(group, groups, lane);
  let width = params.hidden / WIDE;
  let m = e / width;
  if (m >= params.picks) {
    return;
  }
  let row = u32(index[m]);
  var value = Stored();
  if (row < params.rows) {
    value = x[row * width + e % width];
  }
  y[e] = value;
}

// ---------------------------------------------------------------- backward
// kernel gather_backward
// form vec4, plain when: hidden % 4 == 0
// form single, plain
// f16 vec4, halves
// uses rows
struct Params { rows: u32, picks: u32, hidden: u32 }
@group(0) @binding(0) var<storage, read_write> dy: array<Stored>;
@group(0) @binding(1) var<storage, read_write> index: array<i32>;
@group(0) @binding(2) var<storage, read_write> dx: array<Stored>;
@group(0) @binding(3) var<uniform> params: Params;

// workgroups: ceil(picks / ROWS)
@compute @workgroup_size(SPAN)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = row_index(group, groups, lane);
  if (n >= params.picks) {
    return;
  }
  let row = index[n];
  let own = row_lane(lane);
  var same = vec2f();  // picks of this row: before this one, from it on
  for (var m = own; m < params.picks; m += TEAM) {
    if (index[m] == row) {
      same += select(vec2f(0.0, 1.0), vec2f(1.0, 0.0), m < n);
    }
  }
  same = row_sums(same, own);
  if (same.x > 0.0 || u32(row) >= params.rows) {
    return;
  }
  let width = params.hidden / WIDE;
  var left = same.y;
  for (var m = n; left > 0.0; m++) {
    if (index[m] == row) {
      for (var i = own; i < width; i += TEAM) {
        let at = u32(row) * width + i;
        dx[at] = stored(loaded(dx[at]) + loaded(dy[m * width + i]));
      }
      left -= 1.0;
    }
  }
}
