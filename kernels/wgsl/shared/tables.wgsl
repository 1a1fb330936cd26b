// Gradients of tables from those of the rows of a batch that picked from them: for each table the rows are put in order by
// their ids, those of one id in their own order, and the first place of an id adds all that follow. So a row of a table
// has one owner for each element, and its sum one order.
//
// Work split: one invocation finds the place of one row among those of one table, by counting the rows before it: rows^2
// comparisons for each table, of neighbours that all read the same id, a thousandth of what a layer multiplies at 32,768
// rows. Then one invocation is one element of one place. Bytes: the gradients once for each table.
//
// A section declares the buffers and parameters of src/ops/embedding.ts, `clamp_id`, and `set_row_at(place, n)`,
// `row_at(place)` for 3 rows places: numbers of rows as floats, exact below 2^24.

const TABLES = 3u;

fn id_of(table: u32, n: u32) -> u32 {
  switch (table) {
    case 0u: { return clamp_id(ids[n], params.word_count); }
    case 1u: { return clamp_id(segments[n], params.segment_count); }
    default: { return clamp_id(positions[n], params.position_count); }
  }
}

// e is a row of [3, rows].
fn order_row(e: u32) {
  let table = e / max(params.rows, 1u);
  if (table >= TABLES) {
    return;
  }
  let n = e % params.rows;
  let id = id_of(table, n);
  var place = 0u;
  for (var k = 0u; k < params.rows; k++) {
    let other = id_of(table, k);
    place += select(0u, 1u, other < id || (other == id && k < n));
  }
  set_row_at(table * params.rows + place, n);
}

// e is an element of [3, rows, width].
fn add_row(e: u32) {
  let width = norm_width();
  let at = e / width;
  let table = at / max(params.rows, 1u);
  if (table >= TABLES) {
    return;
  }
  let end = (table + 1u) * params.rows;
  let id = id_of(table, row_at(at));
  if (at > table * params.rows && id_of(table, row_at(at - 1u)) == id) {
    return;
  }
  let i = e % width;
  var sum = Vec();
  for (var place = at; place < end; place++) {
    let n = row_at(place);
    if (id_of(table, n) != id) {
      break;
    }
    sum += dsum[n * width + i];
  }
  switch (table) {
    case 0u: { dword[id * width + i] += sum; }
    case 1u: { dsegment[id * width + i] += sum; }
    default: { dposition[id * width + i] += sum; }
  }
}
