#include "run.h"

#include <stdexcept>

namespace {

struct Run {
  std::shared_ptr<Program> program;
  // of its own: the engine may be closed meanwhile
  std::shared_ptr<Pool> pool;
  std::vector<Word> scalars;
  std::vector<Reading> readings;
  std::vector<double> events;
  std::string failure;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void execute(Run& run) {
  const CommandList& list = run.program->list();
  const unsigned threads = run.pool->threads();
  const size_t row = run.readings.size() / threads;
  const double begin = row == 0 ? 0 : clock_ns();
  run.pool->run([&](Team& team) { list.execute(team, run.scalars, row == 0 ? nullptr : run.readings.data() + row * team.rank()); });
  if (row == 0) return;
  for (const Event& e : list.timeline(run.readings, threads, begin))
    for (const double value : {double(e.call), double(e.iteration), e.start, e.duration}) run.events.push_back(value);
}

void settle(napi_env env, const Run& run) {
  if (run.failure.empty())
    door::check(napi_resolve_deferred(env, run.deferred, door::numbers(env, run.events)));
  else
    door::check(napi_reject_deferred(env, run.deferred, door::error(env, run.failure.c_str())));
}

// On a thread of libuv.
void on_execute(napi_env, void* data) {
  Run& run = *static_cast<Run*>(data);
  try {
    execute(run);
  } catch (const std::exception& e) {
    run.failure = e.what();
  }
}

// On the thread of JavaScript, which may have ended meanwhile. Here the run lets go of everything.
void on_complete(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Run> run(static_cast<Run*>(data));
  static_cast<void>(napi_delete_async_work(env, run->work));
  run->program->readings.swap(run->readings);
  try {
    settle(env, *run);
  } catch (const door::Stopped&) {
    // nobody awaits it any longer
  } catch (const std::exception&) {
    // not even an Error could be made
  }
}

}  // namespace

napi_value start_run(napi_env env, std::shared_ptr<Program> program, std::vector<Word> scalars, bool timeline) {
  if (!program->pool()) throw std::invalid_argument("the engine of the program was closed");
  if (scalars.size() != program->list().scalar_is_float.size()) throw std::invalid_argument("wrong number of scalars");
  auto run = std::make_unique<Run>();
  run->pool = program->pool();
  run->scalars = std::move(scalars);
  if (timeline) {
    run->readings.swap(program->readings);
    run->readings.resize(program->list().executions() * run->pool->threads());
  }
  run->program = std::move(program);
  napi_value promise;
  door::check(napi_create_promise(env, &run->deferred, &promise));
  door::check(napi_create_async_work(env, nullptr, door::text(env, "bioalbert run"), on_execute, on_complete, run.get(), &run->work));
  const napi_status queued = napi_queue_async_work(env, run->work);
  if (queued != napi_ok) static_cast<void>(napi_delete_async_work(env, run->work));
  door::check(queued);
  run.release();
  return promise;
}
