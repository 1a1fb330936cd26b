// Sums over the rows of the left operand of a product, for gradients of biases: a workgroup has 16 columns, of each four of them 16
// invocations, which join in workgroup memory. Whoever uses this declares left4 with LEFT_ALONG_K false (product_blocks.wgsl).

const BIAS_FOURS = 4u;  // fours of columns that a workgroup sums, each by 16 invocations

var<workgroup> bias_sums: array<vec4f, LANES>;

// Sum over all rows of the left operand, four columns from `column` on; the first BIAS_FOURS invocations have the results.
fn sum_of_rows(column: u32, lane: u32, rows: u32) -> vec4f {
  var sum = vec4f();
  for (var n = lane / BIAS_FOURS; n < rows; n += LANES / BIAS_FOURS) {
    sum += left4(column, n);
  }
  bias_sums[lane] = sum;
  workgroupBarrier();
  for (var i = lane + BIAS_FOURS; i < LANES; i += BIAS_FOURS) {
    sum += bias_sums[i];
  }
  return sum;
}
