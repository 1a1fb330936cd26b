// Sums over all rows of a matrix, of four columns from a multiple of four on, that a section gives as row4(column, row) -> vec4f.

const BIAS_FOURS = 4u;  // fours of outputs that a workgroup sums over the rows of dy, each by 16 invocations

var<workgroup> bias_sums: array<vec4f, LANES>;

// The first BIAS_FOURS invocations have the results.
fn sum_of_rows(column: u32, lane: u32, rows: u32) -> vec4f {
  var sum = vec4f();
  for (var n = lane / BIAS_FOURS; n < rows; n += LANES / BIAS_FOURS) {
    sum += row4(column, n);
  }
  bias_sums[lane] = sum;
  workgroupBarrier();
  for (var i = lane + BIAS_FOURS; i < LANES; i += BIAS_FOURS) {
    sum += bias_sums[i];
  }
  return sum;
}
