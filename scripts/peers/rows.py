"""What is compared: the rows of the tables, and what is required of millstream."""

from dataclasses import dataclass

TASKS = {
    "decode": "Ceilings: decoding alone, bytes in memory, nothing done to the pixels",
    "basic": "basic: decode, RandomResizedCrop 224, flip, normalise",
    "randaug": "randaug: basic with RandAugment(2, 9)",
    "eval": "eval: decode, short side to 256, centre crop 224, normalise",
    "fmnist": "fmnist: 28 x 28 from memory, pad-crop, flip, RandAugment(2, 9), normalise",
    "smallnet": "smallnet: training, width 32, 28 x 28 gray, batches of 256",
    "resnet18": "resnet18: training, 64 x 64 RGB, batches of 64",
    "label_lite0": "label_lite0: EfficientNet-Lite0 labels photographs, 224 x 224, batches of 64, float32",
    "label_resnet18": "label_resnet18: ResNet-18 labels photographs, 224 x 224, batches of 64, float32",
    "allreduce_25": "allreduce_25: 25 MB of float32 added up over two processes, over the loopback",
    "allreduce_100": "allreduce_100: 100 MB of float32 added up over two processes, over the loopback",
}
# What millstream and its peers are told to train.
TRAINING = {
    "smallnet": ("--model", "smallnet", "--width", 32, "--size", 28, "--channels", "gray", "--batch", 256),
    "resnet18": ("--model", "resnet18", "--size", 64, "--channels", "rgb", "--batch", 64),
}
# What is added up over two processes.
SUMS = {task: ("--megabytes", size) for task, size in {"allreduce_25": 25, "allreduce_100": 100}.items()}
# Tasks that take no images.
WITHOUT_IMAGES = {*TRAINING, *SUMS}
# The models that label.
LABELLING = {"label_lite0": "efficientnet_lite0", "label_resnet18": "resnet18"}
SAME_LABELS = dict.fromkeys(LABELLING, "yes")
ONE_BATCH = dict.fromkeys(LABELLING, "the model alone, one batch in memory")
# Steps to warm up, and steps of a measured pass.
STEPS = {"smallnet": (10, 100), "resnet18": (4, 25)}
NO_ANTIALIAS = "no: no antialias"
SOME_OF = "no: SomeOf(14, n=2), most strengths drawn within the range of magnitude 9"


@dataclass(frozen=True)
class Row:
    """A program with its options. `work` says for each of its tasks whether it does the same work as the others."""

    name: str
    program: str
    work: dict
    environment: str = ""
    options: tuple = ()


ROWS = (
    Row(
        "millstream",
        "millstream",
        {
            "decode": "whole image",
            "basic": "yes, but a JPEG is decoded smaller where its crop is much larger than 224",
            "randaug": "yes, but for JPEGs decoded smaller, as in basic",
            "eval": "yes, but for JPEGs decoded smaller, as in basic",
            "fmnist": "yes",
            "smallnet": "more: its stream shuffles, crops and flips the images of every batch",
            "resnet18": "more: its stream shuffles, crops and flips the images of every batch",
            **dict.fromkeys(LABELLING, "yes, norms folded into convolutions"),
            **dict.fromkeys(SUMS, "yes"),
        },
    ),
    Row(
        "millstream, one batch",
        "millstream",
        {"smallnet": "yes", "resnet18": "yes"},
        options=("--synthetic",),
    ),
    Row(
        "millstream, no scaling",
        "millstream",
        {"basic": "yes", "randaug": "yes", "eval": "yes"},
        options=("--no-scale",),
    ),
    Row("DALI", "dali_cpu.py", {"basic": "yes", "randaug": "yes, its own 14 ops", "eval": "yes"}, "dali"),
    Row(
        "tf.data, no antialias",
        "tf_data.py",
        {"basic": "no: no antialias, crops of 14 % less area", "eval": NO_ANTIALIAS},
        "tf",
        ("--no-antialias",),
    ),
    Row("tf.data", "tf_data.py", {"basic": "nearly: crops of 14 % less area"}, "tf"),
    Row("tf.data, torchvision's crop", "tf_data.py", {"basic": "yes"}, "tf", ("--torchvision-crop",)),
    Row(
        "torchvision v2",
        "torchvision_v2.py",
        {"basic": "yes", "randaug": "yes", "eval": "yes", "fmnist": "yes"},
        "main",
    ),
    Row("torchvision PIL", "torchvision_pil.py", {"randaug": "yes", "fmnist": "yes"}, "main"),
    Row(
        "albumentations",
        "albumentations_cv2.py",
        {"basic": NO_ANTIALIAS, "randaug": f"{NO_ANTIALIAS}, {SOME_OF[4:]}", "fmnist": SOME_OF},
        "main",
    ),
    Row("PyTorch", "torch_train.py", {"smallnet": "yes", "resnet18": "yes"}, "main"),
    Row(
        "PyTorch, channels last",
        "torch_train.py",
        {"smallnet": "yes", "resnet18": "yes"},
        "main",
        ("--channels-last",),
    ),
    Row(
        "millstream, model alone",
        "millstream",
        ONE_BATCH,
        options=("--synthetic",),
    ),
    Row("timm", "timm_inference.py", SAME_LABELS, "main"),
    Row("timm, channels last", "timm_inference.py", SAME_LABELS, "main", ("--channels-last",)),
    Row(
        "timm, model alone",
        "timm_inference.py",
        ONE_BATCH,
        "main",
        ("--channels-last", "--alone"),
    ),
    Row("PyTorch, Gloo", "torch_allreduce.py", dict.fromkeys(SUMS, "yes"), "main"),
    Row("libjpeg-turbo, whole image", "roi", {"decode": "whole image"}, options=("full",)),
    Row("libjpeg-turbo, crop box", "roi", {"decode": "the box of a RandomResizedCrop alone"}, options=("roi",)),
    Row(
        "libjpeg-turbo, crop box scaled",
        "roi",
        {"decode": "the same, scaled in the DCT where it stays at least 224 x 224"},
        options=("roiscale",),
    ),
    Row("simplejpeg, whole image", "simplejpeg_decode.py", {"decode": "whole image"}, "main"),
)


# What the requirements are held against, and what is shown beside it.
OURS = "millstream"
OURS_UNSCALED = "millstream, no scaling"
TIMM = ("timm", "timm, channels last")
ALONE = ("timm, model alone",)
OWN_ALONE = ("millstream, model alone",)
EAGER = ("PyTorch", "PyTorch, channels last")
# Figures of which more is better.
IMAGES, MEGABYTES = "images_per_second", "megabytes_per_second"


@dataclass(frozen=True)
class Requirement:
    """millstream's figure in a task, as a multiple of that of the best of the rivals."""

    task: str
    rivals: tuple
    factor: float
    figure: str = IMAGES
    rival_task: str = ""
    # An aim is reported like the others, but nothing fails by it.
    aim: bool = False
    # The row of millstream that it is about.
    ours: str = OURS

    @property
    def smaller_is_better(self):
        return self.figure not in (IMAGES, MEGABYTES)


REQUIREMENTS = (
    Requirement("basic", ("DALI",), 1.55),
    Requirement("basic", ("tf.data, no antialias",), 1.15),
    Requirement("basic", ("libjpeg-turbo, crop box",), 0.8, rival_task="decode", aim=True),
    Requirement("basic", ("DALI",), 0.6, figure="peak_rss_mib"),
    Requirement("basic", ("DALI",), 0.6, figure="first_batch_seconds"),
    Requirement("randaug", ("torchvision v2", "torchvision PIL"), 2.3),
    Requirement("randaug", ("albumentations",), 1.6),
    Requirement("eval", ("torchvision v2", "DALI"), 1.6),
    Requirement("eval", ("tf.data, no antialias",), 1.2),
    Requirement("fmnist", ("torchvision PIL",), 5.0),
    Requirement("fmnist", ("albumentations",), 3.3),
    Requirement("smallnet", EAGER, 0.95, ours="millstream, one batch"),
    Requirement("smallnet", EAGER, 0.95, aim=True),
    Requirement("resnet18", EAGER, 0.95, ours="millstream, one batch"),
    Requirement("resnet18", EAGER, 0.95, aim=True),
    *(
        requirement
        for task in LABELLING
        for requirement in (
            Requirement(task, TIMM, 1.15),
            Requirement(task, ALONE, 0.93),
            Requirement(task, OWN_ALONE, 0.93, aim=True),
        )
    ),
    *(Requirement(task, ("PyTorch, Gloo",), 0.9, figure=MEGABYTES) for task in SUMS),
)
