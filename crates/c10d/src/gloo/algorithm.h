// What PyTorch's header of its Gloo process group needs of Gloo's own headers, which its wheel lacks: declarations only, for one
// version of libtorch. Nothing here is linked but by that header.
#pragma once
