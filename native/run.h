// Executes a program on a thread of libuv, which becomes rank 0 of the pool; the event loop stays free.
//
// When a worker ends, Node first waits for the runs that are under way in it and then closes handles, so the threads of
// its pool are idle when they are joined; `process.exit` in the main thread waits likewise. A run that ends after
// JavaScript settles nothing. It shares its program, pool and buffers with their handles, copies the scalars, and
// touches no memory of JavaScript from another thread.
#pragma once
#include <memory>
#include <vector>

#include "program.h"

// A promise of the timeline: quadruples (call, iteration, start, duration), none if it was not asked for. Throws when
// the engine was closed.
napi_value start_run(napi_env env, std::shared_ptr<Program> program, std::vector<Word> scalars, bool timeline);
