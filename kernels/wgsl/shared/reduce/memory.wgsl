// Sums and maxima over the LANES invocations of a workgroup through workgroup memory, in a fixed order.
//
// Values are added eight at a time, in two steps; in the second all invocations do the same, so nothing is sent back.
// Each call has two barriers and 16 reads of workgroup memory, none of which meet in a bank. The two arrays take turns,
// so a call needs no barrier in front of it. 1 KiB of workgroup memory.

const EIGHT = 8u;  // squared LANES

var<workgroup> lane_values: array<vec2f, LANES>;
var<workgroup> eighth_values: array<vec2f, LANES>;

fn group_sums(values: vec2f, lane: u32) -> vec2f {
  lane_values[lane] = values;
  workgroupBarrier();
  var part = vec2f();
  for (var i = lane % EIGHT; i < LANES; i += EIGHT) {
    part += lane_values[i];
  }
  eighth_values[lane] = part;
  workgroupBarrier();
  var all = vec2f();
  for (var i = 0u; i < EIGHT; i++) {
    all += eighth_values[i];
  }
  return all;
}

fn group_sum(value: f32, lane: u32) -> f32 {
  return group_sums(vec2f(value, 0.0), lane).x;
}

// The largest value; NaN if there is one.
fn group_max(value: f32, lane: u32) -> f32 {
  lane_values[lane].x = value;
  workgroupBarrier();
  var part = value;
  for (var i = lane % EIGHT; i < LANES; i += EIGHT) {
    part = larger(part, lane_values[i].x);
  }
  eighth_values[lane].x = part;
  workgroupBarrier();
  var all = part;
  for (var i = 0u; i < EIGHT; i++) {
    all = larger(all, eighth_values[i].x);
  }
  return all;
}
