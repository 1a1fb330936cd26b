// Largest value and sum of exponentials of a row in one read of it (online softmax, Milakov and Gimelshein 2018): when a
// larger value comes, what has been added so far shrinks. Joined across the invocations of the row at the end.
// Exponentials per number: one, and one per element. A NaN or an infinity makes the sum NaN; of a row that is -infinity
// throughout the sum is 0.
//
// A section declares its element (`uses vec4` or `single`) and `online_input(at)`, an element by its place in the tensor.
// uses rows

struct Online {
  most: f32,
  sum: f32,
  first: u32,  // number of the first largest value; that of none is the number of values
}

fn online(start: u32, width: u32, lane: u32) -> Online {
  var own = Online(-MAX_FLOAT, 0.0, width * WIDE);
  for (var i = lane; i < width; i += TEAM) {
    let v = online_input(start + i);
    let top = largest(v);
    if (is_nan(top) || top > own.most) {
      own.sum *= exponential(own.most - top);
      own.most = top;
      own.first = i * WIDE + place_of(v, top);
    }
    own.sum += total(exponentials(v - own.most));
  }
  let most = row_max(own.most, lane);
  let sum = row_sum(own.sum * exponential(own.most - most), lane);
  // numbers below 2^24 are exact as floats
  let is_first = !is_nan(most) && own.most == most;
  let first = -row_max(-f32(select(width * WIDE, own.first, is_first)), lane);
  return Online(most, sum, u32(first));
}
