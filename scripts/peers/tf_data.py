"""tf.data. It has threads, no worker processes. Decoding the crop box alone is its usual ImageNet recipe.

--no-antialias      resizes without antialiasing, TensorFlow's own default: less work, other pixels
--torchvision-crop  draws crops as torchvision does; TensorFlow's own sampler draws boxes of 14 % less area
"""

import math
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import tensorflow as tf
from harness import IMAGENET_MEAN, IMAGENET_STD, arguments, files, measure

args = arguments("--no-antialias", "--torchvision-crop")
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(args.workers)
paths = files(args.corpus)
mean = tf.constant([value * 255 for value in IMAGENET_MEAN], tf.float32)
inverse_std = tf.constant([1 / (value * 255) for value in IMAGENET_STD], tf.float32)


def resize(image, size):
    return tf.image.resize(image, size, "bilinear", antialias=not args.no_antialias)


def normalize(image):
    return tf.transpose((image - mean) * inverse_std, [2, 0, 1])


def tensorflow_box(shape):
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        shape,
        tf.zeros([1, 0, 4]),
        area_range=(0.08, 1.0),
        aspect_ratio_range=(3 / 4, 4 / 3),
        max_attempts=10,
        use_image_if_no_bounding_boxes=True,
        min_object_covered=0.0,
    )
    top, left, _ = tf.unstack(begin)
    height, width, _ = tf.unstack(size)
    return tf.stack([top, left, height, width])


def torchvision_box(shape):
    """The first of ten draws that fits: area uniform, ratio log-uniform. Else the largest square."""
    image_height, image_width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    area = image_height * image_width * tf.random.uniform([10], 0.08, 1.0)
    ratio = tf.exp(tf.random.uniform([10], math.log(3 / 4), math.log(4 / 3)))
    widths, heights = tf.round(tf.sqrt(area * ratio)), tf.round(tf.sqrt(area / ratio))
    fits = (widths <= image_width) & (heights <= image_height) & (widths > 0) & (heights > 0)
    first = tf.argmax(tf.cast(fits, tf.int32))
    side = tf.minimum(image_width, image_height)
    width = tf.where(tf.reduce_any(fits), widths[first], side)
    height = tf.where(tf.reduce_any(fits), heights[first], side)
    top = tf.floor(tf.random.uniform([]) * (image_height - height + 1))
    left = tf.floor(tf.random.uniform([]) * (image_width - width + 1))
    return tf.cast(tf.stack([top, left, height, width]), tf.int32)


def basic(path):
    jpeg = tf.io.read_file(path)
    shape = tf.io.extract_jpeg_shape(jpeg)
    box = torchvision_box(shape) if args.torchvision_crop else tensorflow_box(shape)
    image = tf.image.decode_and_crop_jpeg(jpeg, box, channels=3, dct_method="INTEGER_ACCURATE")
    return normalize(tf.image.random_flip_left_right(resize(image, (224, 224))))


def evaluation(path):
    jpeg = tf.io.read_file(path)
    size = tf.cast(tf.io.extract_jpeg_shape(jpeg)[:2], tf.float32)
    size = tf.cast(tf.round(size * (256.0 / tf.reduce_min(size))), tf.int32)
    image = resize(tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE"), size)
    begin = tf.concat([(size - 224) // 2, [0]], 0)
    return normalize(tf.slice(image, begin, [224, 224, 3]))


def batches():
    options = tf.data.Options()
    options.deterministic = False
    options.autotune.enabled = False
    options.threading.private_threadpool_size = args.workers
    options.threading.max_intra_op_parallelism = 1
    stream = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths)).repeat()
    stream = stream.map(evaluation if args.task == "eval" else basic, num_parallel_calls=args.workers)
    stream = stream.batch(args.batch, drop_remainder=True).prefetch(2)
    for images in stream.with_options(options):
        yield args.batch, images


measure(args, len(paths), batches)
