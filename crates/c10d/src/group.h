// What stands behind a `ProcessGroup` of Rust.
#pragma once

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;
