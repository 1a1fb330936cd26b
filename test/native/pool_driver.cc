// The thread pool under ThreadSanitizer: many jobs of real kernels on more threads than cores, from several callers, and
// pools that come and go. Built by native/CMakeLists.txt with BIOALBERT_SANITIZE=thread and run by test/sanitize.ts.
// Every result is compared with that of one thread, bit by bit. Closes with `N passed, N failed, N skipped`; a race
// that ThreadSanitizer finds ends the program badly by itself.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sched.h>
#endif

#include "pool.h"
#include "processor.h"
#include "registry.h"

namespace {

int passed = 0, failed = 0, skipped = 0;

void report(const std::string& name, bool ok) {
  std::printf("%s %s\n", ok ? "ok  " : "FAIL", name.c_str());
  (ok ? passed : failed)++;
}

std::vector<float> numbers(size_t n, uint32_t seed) {
  std::vector<float> values(n);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = float(seed >> 8) / float(1 << 23) - 1.0f;
  }
  return values;
}

Word word(uint32_t u) {
  Word w;
  w.u = u;
  return w;
}
Word word(float f) {
  Word w;
  w.f = f;
  return w;
}

const KernelEntry& find(const std::vector<const KernelEntry*>& kernels, const char* name) {
  for (const KernelEntry* k : kernels)
    if (std::strcmp(k->name, name) == 0) return *k;
  std::printf("there is no kernel %s\n", name);
  std::exit(1);
}

// A dense layer, a normalisation with its gradient, a loss over a vocabulary with its gradient and a sum, one after the
// other: what each leaves is what the next one reads, on whichever thread.
class Chain {
 public:
  explicit Chain(const std::string& isa) : kernels_(kernels_of(isa)) {}

  std::vector<float> run(Pool& pool) {
    const uint32_t rows = 150, in = 70, width = 90, words = 1100;
    std::vector<float> x = numbers(rows * in, 1), w = numbers(width * in, 2), b = numbers(width, 3);
    std::vector<float> gain = numbers(width, 4), shift = numbers(width, 5), table = numbers(words * width, 6), bias = numbers(words, 7);
    std::vector<float> dloss(rows, 0.5f);
    std::vector<int32_t> labels(rows);
    for (uint32_t i = 0; i < rows; i++) labels[i] = int32_t(i * 7 % words);
    std::vector<float> y(rows * width), z(rows * width), mean(rows), rstd(rows), loss(rows), lse(rows), correct(rows), statistics(6 * 2 * rows);
    std::vector<float> dz(rows * width), dy(rows * width), dtable(words * width), dbias(words), dgain(width), dshift(width);
    std::vector<float> groups(5 * rows * width), partial(3 * 2 * width), dx(rows * in), dw(width * in), db(width), total(in);
    const Word size_linear[] = {word(rows), word(in), word(width)};
    const Word size_norm[] = {word(rows), word(width), word(1e-5f)};
    const Word size_loss[] = {word(rows), word(width), word(words)};
    const Word size_sum[] = {word(1u), word(rows), word(in), word(0u)};
    pool.run([&](Team& team) {
      call(team, "linear_forward", {x.data(), w.data(), b.data(), y.data()}, size_linear);
      call(team, "layernorm_forward", {y.data(), gain.data(), shift.data(), z.data(), mean.data(), rstd.data()}, size_norm);
      call(team, "linear_cross_entropy_forward",
           {z.data(), table.data(), bias.data(), labels.data(), loss.data(), lse.data(), correct.data(), statistics.data()}, size_loss);
      call(team, "linear_cross_entropy_backward",
           {dloss.data(), z.data(), table.data(), bias.data(), labels.data(), lse.data(), dz.data(), dtable.data(), dbias.data(), groups.data()},
           size_loss);
      call(team, "layernorm_backward",
           {dz.data(), y.data(), gain.data(), mean.data(), rstd.data(), dy.data(), dgain.data(), dshift.data(), partial.data()}, size_norm);
      call(team, "linear_backward_input", {dy.data(), w.data(), dx.data()}, size_linear);
      call(team, "linear_backward_weight", {dy.data(), x.data(), dw.data(), db.data()}, size_linear);
      call(team, "reduce_forward", {dx.data(), total.data()}, size_sum);
    });
    std::vector<float> all;
    for (const auto* part : {&loss, &dtable, &dbias, &dgain, &dshift, &dw, &db, &total}) all.insert(all.end(), part->begin(), part->end());
    return all;
  }

 private:
  void call(Team& team, const char* name, std::vector<void*> buffers, const Word* params) {
    find(kernels_, name).run(team, buffers.data(), params);
  }
  std::vector<const KernelEntry*> kernels_;
};

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

bool is_finite(const std::vector<float>& values) {
  for (float v : values)
    if (!std::isfinite(v)) return false;
  return true;
}

// Processors that the calling thread may run on.
int allowed() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return 0;
}

void affinity(unsigned threads, bool pin, bool expected) {
  const int before = allowed();
  Pool pool(threads, pin);
  std::vector<int> seen(threads);
  pool.run([&](Team& team) {
    seen[team.rank()] = allowed();
    team.join();
  });
  bool ok = allowed() == before;
  for (int n : seen) ok = ok && n == (expected ? 1 : before);
  report(std::to_string(threads) + " threads are " + (expected ? "" : "not ") + "bound to cores, and the caller has its affinity back", ok);
}

}  // namespace

int main() {
  const unsigned counts[] = {2, 3, 7};
  for (const std::string& isa : supported_isas()) {
    Chain chain(isa);
    Pool single(1);
    const std::vector<float> want = chain.run(single);
    report(isa + ": results are numbers", is_finite(want));
    for (unsigned threads : counts)
      for (bool pin : {true, false}) {
        Pool pool(threads, pin);
        bool ok = true;
        for (int i = 0; i < 4; i++) ok = ok && same_bits(chain.run(pool), want);
        report(isa + ": the same bits on " + std::to_string(threads) + " threads" + (pin ? "" : ", not bound"), ok);
      }
  }

  for (unsigned threads : counts) {
    Pool pool(threads);
    // short jobs, some after a pause in which the threads park
    uint64_t sum = 0;
    for (int i = 0; i < 600; i++) {
      std::vector<uint32_t> parts(threads);
      std::vector<uint32_t> after(threads);
      pool.run([&](Team& team) {
        for (uint32_t task = team.claim(); task < 20; task = team.claim()) parts[team.rank()] += task;
        team.join();
        for (uint32_t p : parts) after[team.rank()] += p;
        team.join();
      });
      for (uint32_t a : after) sum += a == 190;
      if (i % 100 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    report("600 short jobs on " + std::to_string(threads) + " threads", sum == 600u * threads);
  }

  {
    Pool pool(3);
    // one thread is late to every phase, so that the others park in it
    std::vector<int> order(3);
    pool.run([&](Team& team) {
      for (int phase = 0; phase < 3; phase++) {
        if (team.rank() == uint32_t(phase)) {
          std::this_thread::sleep_for(std::chrono::milliseconds(60));
          order[phase] = phase + 1;
        }
        team.join();
      }
    });
    report("threads that park in a phase are woken", order == std::vector<int>({1, 2, 3}));
  }

  {
    Pool pool(4);
    int plain = 0;  // jobs exclude one another: no race
    std::vector<std::thread> callers;
    for (int c = 0; c < 3; c++)
      callers.emplace_back([&] {
        for (int i = 0; i < 100; i++)
          pool.run([&](Team& team) {
            if (team.rank() == 0) plain++;
            team.join();
          });
      });
    for (auto& t : callers) t.join();
    report("jobs of several callers run one after the other", plain == 300);
  }

  for (int i = 0; i < 60; i++) {
    Pool pool(5);
    if (i % 2) pool.run([](Team& team) { team.join(); });
  }
  report("pools come and go", true);

  const unsigned cores = unsigned(core_processors().size());
  if (cores >= 2) {
    affinity(2, true, true);
    affinity(2, false, false);
    affinity(cores + 1, true, false);
  } else {
    skipped += 3;
    std::printf("skipped: affinity (fewer than two cores that the system tells of)\n");
  }

  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}
