// Sums over all rows of a matrix, for gradients of biases, by invocations, each for four columns. For adapters
// whose barriers are slow: in software a barrier costs more than the rows that it saves from being walked one by one.
// suits adapters in software
//
// Whoever uses this declares row4(column, row) -> vec4f: four columns of a row, from a multiple of four on.

const SUM_LANES = 16u;  // invocations of a workgroup
const SUM_FOURS = 16u;  // fours of columns that it sums

// Sum over all rows, four columns from `column` on.
fn sum_of_rows(column: u32, lane: u32, rows: u32) -> vec4f {
  var sum = vec4f();
  for (var n = 0u; n < rows; n++) {
    sum += row4(column, n);
  }
  return sum;
}
