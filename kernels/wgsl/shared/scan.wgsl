// Running sums over the LANES invocations of a workgroup: of the values up to an invocation's own, and of all. Eight at a
// time: a sum within a group of eight, then over the groups before. Three barriers.

const RUN = 8u;  // squared LANES

var<workgroup> run_values: array<f32, LANES>;
var<workgroup> run_totals: array<f32, RUN>;

fn group_scan(value: f32, lane: u32) -> vec2f {
  run_values[lane] = value;
  workgroupBarrier();
  var own = 0.0;
  for (var i = lane / RUN * RUN; i <= lane; i++) {
    own += run_values[i];
  }
  if (lane % RUN == RUN - 1u) {
    run_totals[lane / RUN] = own;
  }
  workgroupBarrier();
  var before = 0.0;
  var all = 0.0;
  for (var i = 0u; i < RUN; i++) {
    before = select(before, all, i == lane / RUN);
    all += run_totals[i];
  }
  workgroupBarrier();
  return vec2f(before + own, all);
}
