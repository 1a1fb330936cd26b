// Sums over all rows of a matrix, for gradients of biases, by workgroups: 16 columns each, of every four of them
// 16 invocations, which join in workgroup memory. For GPUs: there are many more rows than columns.
//
// Whoever uses this declares row4(column, row) -> vec4f: four columns of a row, from a multiple of four on.

const SUM_LANES = 64u;  // invocations of a workgroup
const SUM_FOURS = 4u;   // fours of columns that it sums

var<workgroup> lane_sums: array<vec4f, SUM_LANES>;

// Sum over all rows, four columns from `column` on, of which a workgroup has number lane % SUM_FOURS; the first SUM_FOURS invocations
// have the results.
fn sum_of_rows(column: u32, lane: u32, rows: u32) -> vec4f {
  var sum = vec4f();
  for (var n = lane / SUM_FOURS; n < rows; n += SUM_LANES / SUM_FOURS) {
    sum += row4(column, n);
  }
  lane_sums[lane] = sum;
  workgroupBarrier();
  for (var i = lane + SUM_FOURS; i < SUM_LANES; i += SUM_FOURS) {
    sum += lane_sums[i];
  }
  return sum;
}
