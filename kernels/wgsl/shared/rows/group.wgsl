// Who owns a row: a workgroup, whose invocations walk it side by side. For GPUs: neighbours read neighbours, a row's
// elements stay in registers between passes where the row has at most KEPT times TEAM of them.
// uses reduce, scan

const SPAN = LANES;  // invocations of a workgroup
const TEAM = LANES;  // invocations that share a row
const ROWS = 1u;     // rows of a workgroup
const KEPT = 4u;     // elements of a row that an invocation keeps: of 16 bytes 16 registers, rows of up to 1,024 numbers

// The row of this invocation.
fn row_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return group_index(group, groups);
}

// Number of this invocation among those of its row.
fn row_lane(lane: u32) -> u32 {
  return lane;
}

fn row_sums(values: vec2f, lane: u32) -> vec2f {
  return group_sums(values, lane);
}

fn row_sum(value: f32, lane: u32) -> f32 {
  return group_sum(value, lane);
}

fn row_max(value: f32, lane: u32) -> f32 {
  return group_max(value, lane);
}

fn row_scan(value: f32, lane: u32) -> vec2f {
  return group_scan(value, lane);
}
