// Products of operands as they are stored (`Stored`), which are f32 when they are multiplied. A section whose operands may be f16
// gives them as `Operands`, by `operands`, and `product_f16` decides what becomes of those.
// uses product

alias Operands = vec4f;

fn operands(v: Stored) -> Operands {
  return loaded(v);
}
