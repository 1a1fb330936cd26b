// Who owns a row: one invocation. For adapters whose barriers and workgroup memory are slow and whose caches are large,
// processors above all. Rows are read again in later passes, out of the cache.
// suits adapters in software

const SPAN = 16u;    // invocations of a workgroup
const TEAM = 1u;     // invocations that share a row
const ROWS = SPAN;   // rows of a workgroup
const KEPT = 1u;     // elements of a row that an invocation keeps

// The row of this invocation.
fn row_index(group: vec3u, groups: vec3u, lane: u32) -> u32 {
  return group_index(group, groups) * ROWS + lane;
}

// Number of this invocation among those of its row.
fn row_lane(lane: u32) -> u32 {
  return 0u;
}

fn row_sums(values: vec2f, lane: u32) -> vec2f {
  return values;
}

fn row_sum(value: f32, lane: u32) -> f32 {
  return value;
}

fn row_max(value: f32, lane: u32) -> f32 {
  return value;
}

fn row_scan(value: f32, lane: u32) -> vec2f {
  return vec2f(value);
}
