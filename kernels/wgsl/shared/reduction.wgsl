// The sum or the maximum of what one invocation walks. A section declares its element (`uses vec4` or `single`) and
// `reduced_input(at)`, an element by its place in the tensor.

const BLOCK = 64u;  // elements that are added up before they join the sum, so that long sums keep their digits

// Of `count` elements `step` apart; of none 0 or -infinity.
fn walk(which: u32, start: u32, count: u32, step: u32) -> f32 {
  if (which == SUM || which == MEAN) {
    var sum = Vec();
    for (var first = 0u; first < count; first += BLOCK) {
      var part = Vec();
      for (var k = first; k < min(first + BLOCK, count); k++) {
        part += reduced_input(start + k * step);
      }
      sum += part;
    }
    return total(sum);
  }
  var most = -bitcast<f32>(infinity_bits);
  for (var k = 0u; k < count; k++) {
    most = larger(most, largest(reduced_input(start + k * step)));
  }
  return most;
}

// How many of `count` elements fall to number `lane` of `team`.
fn share(count: u32, lane: u32, team: u32) -> u32 {
  return (count + team - 1u - lane) / team;
}

fn finish(which: u32, value: f32) -> f32 {
  return select(value, value / f32(max(params.axis, 1u)), which == MEAN);
}
