// The classes of libtorch that tch does not offer, behind plain functions. All of them are in the CPU part: c10 asks whatever
// device library is loaded.

#include <ATen/Context.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdint>
#include <cstdlib>

#include "guarded.h"

namespace {

c10::Device gpu(int8_t index) { return {c10::DeviceType::CUDA, index}; }

c10::Stream stream(int8_t index, int64_t id) { return c10::Stream(c10::Stream::UNSAFE, gpu(index), id); }

c10::impl::VirtualGuardImpl gpus() { return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA); }

}  // namespace

extern "C" {

// Kernels that give the same bits each time, where libtorch has such; it warns where it has not. cuBLAS has them with a
// workspace of fixed size, for which it looks in the environment when it is first used.
int millstream_deterministic(int on, char* error, size_t room) {
  return guarded(error, room, [&] {
    if (on != 0) setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
    auto& context = at::globalContext();
    context.setDeterministicCuDNN(on != 0);
    context.setDeterministicAlgorithms(on != 0, /*warn_only=*/true);
  });
}

// A stream of libtorch's pool.
int millstream_stream_new(int8_t device, int64_t* id, char* error, size_t room) {
  return guarded(error, room, [&] { *id = gpus().getStreamFromGlobalPool(gpu(device)).id(); });
}

// Makes `id` the stream that this thread's work goes to, and tells which it was.
int millstream_stream_exchange(int8_t device, int64_t id, int64_t* before, char* error, size_t room) {
  return guarded(error, room, [&] { *before = gpus().exchangeStream(stream(device, id)).id(); });
}

// What goes to this thread's stream from now on waits for what went to `id` so far.
int millstream_stream_join(int8_t device, int64_t id, char* error, size_t room) {
  return guarded(error, room, [&] {
    c10::Event done(c10::DeviceType::CUDA);
    done.record(stream(device, id));
    done.block(gpus().getStream(gpu(device)));
  });
}

}  // extern "C"
