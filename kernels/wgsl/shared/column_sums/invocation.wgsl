// Sums over the rows of the left operand of a product, for gradients of biases, by invocations, each for four columns. For adapters
// whose barriers are slow: in software a barrier costs more than the rows that it saves from being walked one by one.
// suits adapters in software
//
// Whoever uses this declares left4 with LEFT_ALONG_K false (product_blocks.wgsl).

const SUM_LANES = 16u;  // invocations of a workgroup
const SUM_FOURS = 16u;  // fours of columns that it sums

// Sum over all rows, four columns from `column` on.
fn sum_of_rows(column: u32, lane: u32, rows: u32) -> vec4f {
  var sum = vec4f();
  for (var n = 0u; n < rows; n++) {
    sum += left4(column, n);
  }
  return sum;
}
