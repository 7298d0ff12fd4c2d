// How an exception becomes a value: a message in `error`, and 1 for an answer instead of 0.
#pragma once

#include <cstddef>
#include <cstdio>
#include <exception>

template <typename Work>
int guarded(char* error, size_t room, Work work) noexcept {
  try {
    work();
    return 0;
  } catch (const std::exception& problem) {
    std::snprintf(error, room, "%s", problem.what());
  } catch (...) {
    std::snprintf(error, room, "an exception of no known kind");
  }
  return 1;
}
