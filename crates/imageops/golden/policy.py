"""Writes the arguments that the installed libraries give their ops, as one section of policy.txt.

`policy.py main > policy.txt` needs torchvision 0.26 and timm 1.0.31, `policy.py dali >> policy.txt` nvidia-dali.
One case a line: `family op magnitude bins width height argument`, every op with a positive sign; the pairs of
AutoAugment are lines `pair policy number op p magnitude op p magnitude` (-1 where the op has no magnitude).
`policy.py main N SEED` takes N random sizes, numbers of bins and magnitudes for each family instead of the committed ones.
"""

import random
import sys

fresh = [int(number) for number in sys.argv[2:]]
rng = random.Random(fresh[1] if fresh else None)


def random_size():
    return rng.randint(1, 2000), rng.randint(1, 2000)


def sizes(name):
    """(width, height), several where the argument depends on it."""
    return [(224, 224), (28, 100), (333, 500)] if name.startswith("Translate") else [(224, 224)]


def show(*fields):
    print(*(repr(f) if isinstance(f, float) else f for f in fields))


def torchvision():
    from torchvision.transforms.v2 import AugMix, AutoAugment, AutoAugmentPolicy, RandAugment, TrivialAugmentWide

    def final(name, value):
        if name in ("Brightness", "Color", "Contrast", "Sharpness"):
            return 1.0 + value
        if name.startswith("Translate") or name == "Posterize":
            return int(value)
        return 255.0 * value if name == "Solarize" else value

    def list_op(family, policy, bins, name, wanted_sizes, wanted=None):
        for width, height in wanted_sizes:
            values = policy._AUGMENTATION_SPACE[name][0](bins, height, width)
            for m in wanted or range(bins if values is not None else 0):
                show(family, name, m, bins, width, height, final(name, float(values[m])))

    cases = [("torchvision", RandAugment, 31), ("torchvision", RandAugment, 11), ("torchvision", RandAugment, 2),
             ("wide", TrivialAugmentWide, 31), ("wide", TrivialAugmentWide, 12),
             ("autoaugment", AutoAugment, 10), ("augmix", AugMix, 10)]
    if fresh:
        for _ in range(fresh[0]):
            for family, policy, bins in [cases[0], cases[3], cases[5], cases[6]]:
                bins = rng.randint(2, 1001) if bins == 31 else bins
                space = policy._AUGMENTATION_SPACE
                name = rng.choice([name for name in space if space[name][0](2, 1, 1) is not None])
                list_op(family, policy, bins, name, [random_size()], [rng.randrange(bins)])
    else:
        for family, policy, bins in cases:
            for name in policy._AUGMENTATION_SPACE:
                list_op(family, policy, bins, name, sizes(name))
    for policy in AutoAugmentPolicy:
        for number, pair in enumerate(AutoAugment(policy)._policies):
            flat = [-1 if f is None else f for op in pair for f in op]
            show("pair", policy.value, number, *flat)


def timm():
    import numpy as np
    from timm.data import auto_augment as aa

    aa._randomly_negate = lambda v: v
    def list_op(family, name, m, width, height):
        (value,) = aa.LEVEL_TO_ARG[name](m, {})
        side = {"TranslateXRel": width, "TranslateYRel": height}.get(name, 1)
        show(family, name.replace("Increasing", "").replace("Rel", ""), m, 0, width, height, value * side)

    for family, names in (("timm", aa._RAND_TRANSFORMS), ("timm-inc", aa._RAND_INCREASING_TRANSFORMS)):
        names = [name for name in names if aa.LEVEL_TO_ARG[name]]
        for _ in range(fresh[0] if fresh else 0):
            m = rng.choice([float(np.float32(rng.uniform(0, 10))), rng.randint(0, 10)])
            list_op(family, rng.choice(names), m, *random_size())
        for name in [] if fresh else names:
            for m in [0, 1, 2, 2.5, 3, 5, 7, 9, 9.75, 10]:
                for width, height in sizes(name):
                    list_op(family, name, m, width, height)


def dali():
    import numpy as np
    from nvidia.dali.auto_aug import rand_augment

    for op in rand_augment.get_rand_augment_suite(use_shape=True):
        name = "".join(part.capitalize() for part in op.name.split("_"))
        for bins in (31, 11):
            values = op._get_magnitudes(bins)
            for m in range(bins if values is not None else 0):
                for width, height in sizes(name):
                    if name == "Sharpness":
                        # The kernel's middle is 1 + v - 5/13 v.
                        value = np.float32(1) + values[m]
                        kernel = op._map_mag_to_param(values[m])
                        assert abs(kernel[1, 1] - (value - (value - 1) * 5 / 13)) < 1e-6
                    elif name == "Posterize":
                        value = bin(int(op._map_mag_to_param(values[m]))).count("1")
                    else:
                        value = op._map_mag_to_param(values[m]).max()
                    if name.startswith("Translate"):
                        value = np.float32(value) * np.float32(width if name[-1] == "X" else height)
                    show("dali", name, m, bins, width, height, value if isinstance(value, int) else float(value))


if __name__ == "__main__":
    for section in {"main": [torchvision, timm], "dali": [dali]}[sys.argv[1]]:
        section()
