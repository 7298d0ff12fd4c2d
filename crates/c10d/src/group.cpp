// PyTorch's process group over Gloo, behind plain functions. Its ranks find each other through a store that the caller brings.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "group.h"
#include "guarded.h"

extern "C" {

// Where ranks leave word for each other. `get` waits until there is some, and hands it to `take`; both say 0, or 1 for a failure.
struct MillstreamStore {
  void* self;
  int (*set)(void* self, const uint8_t* key, size_t key_length, const uint8_t* value, size_t length);
  int (*get)(void* self, const uint8_t* key, size_t key_length, void* to, void (*take)(void* to, const uint8_t*, size_t));
  void (*drop)(void* self);
};

}  // extern "C"

namespace {

using Bytes = std::vector<uint8_t>;

const uint8_t* bytes(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

// The part of a store that a process group needs: to leave word once and to wait for that of others.
class Store : public c10d::Store {
 public:
  explicit Store(MillstreamStore theirs) : theirs_(theirs) {}
  ~Store() override { theirs_.drop(theirs_.self); }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void set(const std::string& key, const Bytes& value) override {
    if (theirs_.set(theirs_.self, bytes(key), key.size(), value.data(), value.size()) != 0) {
      throw std::runtime_error("the other ranks cannot be told of this one");
    }
  }

  Bytes get(const std::string& key) override {
    Bytes value;
    auto take = [](void* to, const uint8_t* from, size_t length) { static_cast<Bytes*>(to)->assign(from, from + length); };
    if (theirs_.get(theirs_.self, bytes(key), key.size(), &value, take) != 0) {
      throw std::runtime_error("another rank has not come");
    }
    return value;
  }

  void wait(const std::vector<std::string>& keys) override {
    for (const auto& key : keys) get(key);
  }
  void wait(const std::vector<std::string>& keys, const std::chrono::milliseconds&) override { wait(keys); }

  c10::intrusive_ptr<c10d::Store> clone() override { throw std::logic_error("this store has no copy"); }
  int64_t add(const std::string&, int64_t) override { throw std::logic_error("this store does not count"); }
  bool deleteKey(const std::string&) override { throw std::logic_error("this store forgets nothing"); }
  bool check(const std::vector<std::string>&) override { throw std::logic_error("this store cannot be asked in vain"); }
  int64_t getNumKeys() override { throw std::logic_error("this store does not count"); }

 private:
  MillstreamStore theirs_;
};

using Work = c10::intrusive_ptr<c10d::Work>;

std::vector<at::Tensor> one(const at::Tensor* tensor) { return {*tensor}; }

}  // namespace

extern "C" {

// Meets the other ranks at the address of this machine that `host` names. Takes the store over, whatever comes of it.
int millstream_group_new(MillstreamStore theirs, const char* host, int rank, int ranks, int64_t timeout_ms, void** group,
                         char* error, size_t room) {
  auto store = c10::make_intrusive<Store>(theirs);
  return guarded(error, room, [&] {
    auto options = c10d::ProcessGroupGloo::Options::create(std::chrono::milliseconds(timeout_ms));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(host));
    *group = new Group(c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, ranks, options));
  });
}

void millstream_group_free(void* group) { delete static_cast<Group*>(group); }

// The sum over all ranks, in place of each one's own; begun here, and done when `millstream_work_wait` says so.
int millstream_group_all_reduce(void* group, const at::Tensor* tensor, void** work, char* error, size_t room) {
  return guarded(error, room, [&] {
    auto tensors = one(tensor);
    *work = new Work((*static_cast<Group*>(group))->allreduce(tensors));
  });
}

// What `root` has, in place of each one's own.
int millstream_group_broadcast(void* group, const at::Tensor* tensor, int root, void** work, char* error, size_t room) {
  return guarded(error, room, [&] {
    auto tensors = one(tensor);
    c10d::BroadcastOptions options;
    options.rootRank = root;
    *work = new Work((*static_cast<Group*>(group))->broadcast(tensors, options));
  });
}

// What each rank has, one `into` for each: all of the shape of `tensor`.
int millstream_group_all_gather(void* group, const at::Tensor* tensor, at::Tensor* const* into, size_t ranks, void** work,
                                char* error, size_t room) {
  return guarded(error, room, [&] {
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (size_t rank = 0; rank < ranks; ++rank) outputs[0].push_back(*into[rank]);
    auto inputs = one(tensor);
    *work = new Work((*static_cast<Group*>(group))->allgather(outputs, inputs));
  });
}

int millstream_group_barrier(void* group, void** work, char* error, size_t room) {
  return guarded(error, room, [&] { *work = new Work((*static_cast<Group*>(group))->barrier()); });
}

// Waits until the work is done, or has failed, and forgets it.
int millstream_work_wait(void* work, char* error, size_t room) {
  std::unique_ptr<Work> owned(static_cast<Work*>(work));
  return guarded(error, room, [&] { (*owned)->wait(); });
}

}  // extern "C"
