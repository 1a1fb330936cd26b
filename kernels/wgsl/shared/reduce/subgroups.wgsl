// Sums and maxima over the LANES invocations of a workgroup: each subgroup reduces its own values, then every subgroup
// those of all of them, which cross through workgroup memory.
//
// Nothing is assumed of the size of subgroups (4 to 128), nor of which invocations form one: an invocation counts the
// active ones of its subgroup and takes its turn among them. The order is that of the adapter's own instruction, the
// same each time. Two barriers a call; 768 bytes of workgroup memory.
// requires subgroups

var<workgroup> lane_values: array<vec2f, LANES>;
var<workgroup> lane_orders: array<u32, LANES>;

fn group_sums(values: vec2f, lane: u32) -> vec2f {
  let turn = subgroupExclusiveAdd(1u);
  let size = subgroupAdd(1u);
  let own = subgroupAdd(values);
  lane_values[lane] = select(vec2f(), own, turn == 0u);
  workgroupBarrier();
  var part = vec2f();
  for (var i = turn; i < LANES; i += size) {
    part += lane_values[i];
  }
  let all = subgroupAdd(part);
  workgroupBarrier();
  return all;
}

fn group_sum(value: f32, lane: u32) -> f32 {
  return group_sums(vec2f(value, 0.0), lane).x;
}

// Integers in the order of floats, NaN above all.
fn order_of(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  return select(select(bits | 0x80000000u, ~bits, bits >= 0x80000000u), 0xffffffffu, is_nan(value));
}

fn of_order(order: u32) -> f32 {
  return bitcast<f32>(select(~order, select(order & 0x7fffffffu, nan_bits, order == 0xffffffffu), order >= 0x80000000u));
}

// The largest value; NaN if there is one.
fn group_max(value: f32, lane: u32) -> f32 {
  let turn = subgroupExclusiveAdd(1u);
  let size = subgroupAdd(1u);
  lane_orders[lane] = subgroupMax(order_of(value));
  workgroupBarrier();
  var part = 0u;
  for (var i = turn; i < LANES; i += size) {
    part = max(part, lane_orders[i]);
  }
  let all = subgroupMax(part);
  workgroupBarrier();
  return of_order(all);
}
