// Activations that are stored as they are computed, in f32: what `halves` is for f16. A section that has a form for f16 declares
// activations as arrays of `Stored`, reads them by `loaded` and writes them by `stored`; all between is f32 either way.

alias Stored = Vec;

fn loaded(v: Stored) -> Vec {
  return v;
}

fn stored(v: Vec) -> Stored {
  return v;
}

// One number of f32 in the place of an element.
fn stored_number(x: f32) -> Stored {
  return Vec(x);
}

fn loaded_number(v: Stored) -> f32 {
  return first_of(v);
}
