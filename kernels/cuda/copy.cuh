// Strided views of four dimensions, for copy.cu: indices of elements, which elements meet, and tiles of transposes.
#pragma once
#include <type_traits>

#include "ahead.cuh"
#include "elementwise.cuh"

namespace {

constexpr uint32_t kMeetingChunk = 64;

template <class T>
bool is_multiple(const T* p, uintptr_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

enum Dimensions : uint32_t { all_dimensions = 15 };  // sets of dimensions are four bits

// Strides are constants. Sizes may be those of a run; what is asked on the host holds for all sizes up to the largest.
struct View {
  Param<uint32_t> size[4];
  int32_t stride[4];
  uint32_t offset;

  __device__ ptrdiff_t place(uint4 i) const {
    return ptrdiff_t(offset) + ptrdiff_t(i.x) * stride[0] + ptrdiff_t(i.y) * stride[1] + ptrdiff_t(i.z) * stride[2] + ptrdiff_t(i.w) * stride[3];
  }

  // ---- host

  uint32_t reach(int k) const { return stride[k] < 0 ? 0u - uint32_t(stride[k]) : uint32_t(stride[k]); }
  bool is_line() const {
    for (int k = 0; k < 3; k++)
      if (!size[k].is_constant() || size[k].most != 1) return false;
    return true;
  }
  bool repeats() const {
    for (int k = 0; k < 4; k++)
      if (stride[k] == 0 && size[k].most > 1) return true;
    return false;
  }
  size_t most_owners() const {
    size_t n = 1;
    for (int k = 0; k < 4; k++) n *= stride[k] != 0 ? size[k].most : 1;
    return n;
  }

  // Whether lines go by in units of so many elements.
  bool is_in_units(uint32_t n) const {
    bool fits = stride[3] == 1 && size[3].is_constant() && size[3].most % n == 0 && offset % n == 0;
    for (int k = 0; k < 3; k++) fits = fits && (reach(k) % n == 0 || (size[k].is_constant() && size[k].most == 1));
    return fits;
  }
  View in_units(uint32_t n) const {
    if (n == 1) return *this;
    View v = *this;
    v.size[3].most /= n;
    for (int k = 0; k < 3; k++) v.stride[k] /= int32_t(n);
    v.offset /= n;
    return v;
  }

  // Whether no two indices of the `set` of dimensions meet, but for dimensions of stride 0.
  bool is_apart(uint32_t set) const {
    for (int k = 0; k < 4; k++) {
      if (!(set >> k & 1) || size[k].most < 2 || stride[k] == 0) continue;
      uint64_t others = 0;
      for (int j = 0; j < 4; j++)
        if (j != k && (set >> j & 1) && size[j].most > 1 && (reach(j) < reach(k) || (reach(j) == reach(k) && j < k)))
          others += uint64_t(size[j].most - 1) * reach(j);
      if (others >= reach(k)) return false;
    }
    return true;
  }

  // The dimension along which x is contiguous, if it is not the last one and tiles pay; -1 otherwise.
  int contiguous_dimension() const {
    if (stride[3] == 1 || stride[3] == 0 || size[3].most < 8) return -1;
    for (int k = 0; k < 3; k++)
      if (stride[k] == 1 && size[k].most >= 8) return k;
    return -1;
  }
};

// The sizes of this run.
struct Sizes {
  uint32_t d[4];
  __device__ explicit Sizes(const View& v) : d{v.size[0](), v.size[1](), v.size[2](), v.size[3]()} {}
  __device__ uint32_t count() const { return d[0] * d[1] * d[2] * d[3]; }
  __device__ uint4 indices(uint32_t element) const {
    const uint32_t line = element / d[3], lines = line / d[2], i0 = lines / d[1];
    return make_uint4(i0, lines - i0 * d[1], line - lines * d[2], element - line * d[3]);
  }
  __device__ size_t element(uint4 i) const { return ((size_t(i.x) * d[1] + i.y) * d[2] + i.z) * d[3] + i.w; }
};

// Indices along dimensions of stride 0, the terms that meet in one owner, and along the others, the owners.
struct Meeting {
  uint32_t size[2][4];  // of owners, of terms; 1 along the dimensions of the others
  uint32_t owners, terms;
  __device__ Meeting(const View& v, const Sizes& d) : owners(1), terms(1) {
#pragma unroll
    for (int k = 0; k < 4; k++) {
      size[0][k] = v.stride[k] != 0 ? d.d[k] : 1;
      size[1][k] = v.stride[k] != 0 ? 1 : d.d[k];
      owners *= size[0][k], terms *= size[1][k];
    }
  }
  __device__ uint32_t chunks() const { return terms == 0 ? 0 : (terms - 1) / kMeetingChunk + 1; }
  __device__ uint4 index(uint32_t n, bool of_terms) const {
    const uint32_t* s = size[of_terms];
    const uint32_t line = n / s[3], lines = line / s[2], i0 = lines / s[1];
    return make_uint4(i0, lines - i0 * s[1], line - lines * s[2], n - line * s[3]);
  }
  // The sum of the terms of an owner from `begin` on, a chunk of them.
  template <class T>
  __device__ float chunk_sum(const T* dy, const Sizes& d, uint4 owner, uint32_t begin) const {
    float sum = 0;
    ahead<4>(
        begin, terms - begin < kMeetingChunk ? terms : begin + kMeetingChunk, 1,
        [&](uint32_t t) {
          const uint4 i = index(t, true);
          return to_float(dy[d.element(make_uint4(owner.x + i.x, owner.y + i.y, owner.z + i.z, owner.w + i.w))]);
        },
        [&](uint32_t, float v) { sum += v; });
    return sum;
  }
};

// What a dimension of overlapping windows does. Those of stride 0 have none.
enum class Role : uint32_t { none, block, turn, thread };

struct Roles {
  Role of[4];

  // Host. Blocks part the dimension of the largest stride that reaches over all others; threads share out dimensions
  // that do not meet among themselves, the longest first.
  explicit Roles(const View& v) : of{Role::none, Role::none, Role::none, Role::none} {
    int block = -1;
    for (int k = 0; k < 4; k++) {
      if (v.stride[k] == 0) continue;
      of[k] = Role::turn;
      uint64_t others = 0;
      for (int j = 0; j < 4; j++) others += j == k || v.size[j].most == 0 ? 0 : uint64_t(v.size[j].most - 1) * v.reach(j);
      if (v.size[k].most > 1 && others < v.reach(k) && (block < 0 || v.reach(k) > v.reach(block))) block = k;
    }
    if (block >= 0) of[block] = Role::block;
    uint32_t set = 0;
    for (int round = 0; round < 4; round++) {
      int longest = -1;
      for (int k = 0; k < 4; k++)
        if (of[k] == Role::turn && v.is_apart(set | 1u << k) && (longest < 0 || v.size[k].most > v.size[longest].most)) longest = k;
      if (longest < 0) break;
      of[longest] = Role::thread;
      set |= 1u << longest;
    }
  }

  size_t most_blocks(const View& v) const {
    size_t n = 1;
    for (int k = 0; k < 4; k++) n *= of[k] == Role::block ? v.size[k].most : 1;
    return n;
  }
  __device__ uint32_t count(const Sizes& d, Role role) const {
    uint32_t n = 1;
#pragma unroll
    for (int k = 0; k < 4; k++) n *= of[k] == role ? d.d[k] : 1;
    return n;
  }
  // Adds the indices of number n among those of a role.
  __device__ void add(uint4& i, const Sizes& d, Role role, uint32_t n) const {
    const auto take = [&](int k, uint32_t& to) {
      if (of[k] != role) return;
      to = n % d.d[k];
      n /= d.d[k];
    };
    take(3, i.w), take(2, i.z), take(1, i.y), take(0, i.x);
  }
};

// ---------------------------------------------------------------- transposes

constexpr uint32_t kTile = 32;

template <class T>
struct TileShared {
  T tile[kTile][kTile + 4 / sizeof(T)];  // lines a bank apart
};

// Tiles of dimension `across`, which is contiguous in x, and the last one, which is in y. Forward y = x; else x += y.
template <bool kBackward, class T>
__global__ void __launch_bounds__(kElementwise) tiles_kernel(const T* from, T* to, View view, uint32_t across) {
  TileShared<T>& shared = shared_as<TileShared<T>>();
  const Sizes d(view);
  const uint32_t across_size = across == 0 ? d.d[0] : across == 1 ? d.d[1] : d.d[2];
  const uint32_t tiles3 = (d.d[3] + kTile - 1) / kTile, tiles = (across_size + kTile - 1) / kTile;
  // the two dimensions that are left
  const uint32_t a = across == 0 ? 1 : 0, b = across == 2 ? 1 : 2;
  const uint32_t size_a = a == 0 ? d.d[0] : d.d[1], size_b = b == 1 ? d.d[1] : d.d[2];
  const uint32_t items = size_a * size_b * tiles * tiles3;
  const uint32_t column = threadIdx.x % kTile, line = threadIdx.x / kTile;
  constexpr uint32_t kLines = kElementwise / kTile;
  for (uint32_t item = blockIdx.x; item < items; item += gridDim.x) {
    const uint32_t t3 = item % tiles3, rest = item / tiles3, t = rest % tiles, ab = rest / tiles, ia = ab / size_b, ib = ab % size_b;
    const auto at = [&](uint32_t i_across, uint32_t i3) {
      return make_uint4(across == 0 ? i_across : ia, across == 1 ? i_across : across == 0 ? ia : ib, across == 2 ? i_across : ib, i3);
    };
    // in x the lanes of a warp go along `across`, in y along the last dimension
    const auto place_x = [&](uint32_t j) { return at(t * kTile + column, t3 * kTile + line + j * kLines); };
    const auto place_y = [&](uint32_t j) { return at(t * kTile + line + j * kLines, t3 * kTile + column); };
    const auto inside_x = [&](uint32_t j) { return t * kTile + column < across_size && t3 * kTile + line + j * kLines < d.d[3]; };
    const auto inside_y = [&](uint32_t j) { return t * kTile + line + j * kLines < across_size && t3 * kTile + column < d.d[3]; };
    __syncthreads();  // the last tile is out
#pragma unroll
    for (uint32_t j = 0; j < kTile / kLines; j++)
      if (kBackward ? inside_y(j) : inside_x(j))
        shared.tile[line + j * kLines][column] = kBackward ? from[d.element(place_y(j))] : from[view.place(place_x(j))];
    __syncthreads();
#pragma unroll
    for (uint32_t j = 0; j < kTile / kLines; j++) {
      if (!(kBackward ? inside_x(j) : inside_y(j))) continue;
      const T v = shared.tile[column][line + j * kLines];
      if (kBackward) {
        T* target = to + view.place(place_x(j));
        *target = from_float<T>(to_float(*target) + to_float(v));
      } else {
        to[d.element(place_y(j))] = v;
      }
    }
  }
}

template <bool kBackward, class T>
void record_tiles(Launch& launch, const T* from, T* to, size_t count, const View& view, int across) {
  launch(tiles_kernel<kBackward, T>, blocks_for(launch, count, kTile * kTile), kElementwise, sizeof(TileShared<T>), from, to, view,
         uint32_t(across));
}

}  // namespace
