// Operands of f16 for products by matrices of subgroups: what is stored is what is multiplied. Not a bit of it is converted on the way from
// storage through workgroup memory, so infinities and NaNs arrive as what they are. A product of two f16 has 22 bits and is exact
// in f32, in which it is added up.
// uses product_matrices

alias Operand = f16;
alias Operands = Stored;
alias Four = Stored;

const PADDING = 8u;
const STEP = 32u;

fn operands(v: Stored) -> Operands {
  return v;
}

fn elements(four: Four) -> vec4<Operand> {
  return bitcast<vec4<f16>>(four);
}

var<workgroup> band: array<f32, M * TILE_COLUMNS>;  // f32 cannot lie where f16 lay

@diagnostic(off, chromium.subgroup_matrix_uniformity)
fn put_results(at: u32, x: subgroup_matrix_result<f32, N, M>) {
  subgroupMatrixStore<row_major>(&band, at, x, TILE_COLUMNS);
}

fn results(at: u32) -> vec4f {
  return vec4f(band[at], band[at + 1u], band[at + 2u], band[at + 3u]);
}
