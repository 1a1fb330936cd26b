// Layer normalisation of rows: mean, then variance as the mean square of what is left of it, then the output; one read
// and one write of what is kept between them (KEPT), else reads out of the cache. With a workgroup a row: four barriers
// a row, KEPT elements in registers.
//
// A section declares its element (`uses vec4` or `single`), `mean`, `rstd` and
//   norm_width()             elements of a row
//   norm_input(n, i)         element i of row n; asked for once
//   norm_again(n, i)         the same, asked for again
//   norm_output(n, i, hat)   takes the normalised element
// uses rows

fn norm_forward(n: u32, lane: u32, eps: f32) {
  let width = norm_width();
  let count = f32(width * WIDE);
  var kept: array<Vec, KEPT>;
  var sum = Vec();
  for (var k = 0u; k < KEPT; k++) {
    let i = lane + k * TEAM;
    if (i < width) {
      kept[k] = norm_input(n, i);
      sum += kept[k];
    }
  }
  for (var i = lane + KEPT * TEAM; i < width; i += TEAM) {
    sum += norm_input(n, i);
  }
  let m = row_sum(total(sum), lane) / count;
  var square = Vec();
  for (var k = 0u; k < KEPT; k++) {
    if (lane + k * TEAM < width) {
      let d = kept[k] - m;
      square += d * d;
    }
  }
  for (var i = lane + KEPT * TEAM; i < width; i += TEAM) {
    let d = norm_again(n, i) - m;
    square += d * d;
  }
  let r = 1.0 / sqrt(row_sum(total(square), lane) / count + eps);
  for (var k = 0u; k < KEPT; k++) {
    let i = lane + k * TEAM;
    if (i < width) {
      norm_output(n, i, (kept[k] - m) * r);
    }
  }
  for (var i = lane + KEPT * TEAM; i < width; i += TEAM) {
    norm_output(n, i, (norm_again(n, i) - m) * r);
  }
  if (lane == 0u) {
    mean[n] = m;
    rstd[n] = r;
  }
}
