"""Writes small image files into decode/ and what Pillow decodes them to into decode.txt.

Needs pillow==13.0.0. Two lines a file, one for the whole and one for a part: `name WxH | left top width height | result |
result`, the first result as exif_transpose(image).convert("RGB"), the second that as convert("L"); results are `crc` and
the CRC-32 of the pixels.
`decode.py N SEED FOLDER` writes N random files and their list there instead of the committed ones; results come in hex.
"""

import io
import pathlib
import random
import struct
import sys
import zlib

import PIL
from PIL import Image, ImageOps

assert PIL.__version__ == "13.0.0"
here = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else __file__).resolve()
here = here if here.is_dir() else here.parent
folder = here / "decode"
ORIENTATION = 0x0112


def picture(width=45, height=35):
    """Smooth colours with hard edges in them."""

    def pixel(x, y):
        edge = 90 if (x // 7 + y // 5) % 3 == 0 else 0
        return ((x * 5 + edge) % 256, (y * 6 + x) % 256, (x * y // 4 + edge) % 256)

    image = Image.new("RGB", (width, height))
    image.putdata([pixel(x, y) for y in range(height) for x in range(width)])
    return image


def save(name, image, **options):
    image.save(folder / name, **options)


def exif(orientation):
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def png(name, bits, color, rows, *chunks):
    """A PNG of a kind that Pillow does not write. `rows` are packed, without filter bytes."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    depth = {0: 1, 2: 3, 4: 2, 6: 4}[color]
    header = struct.pack(">IIBBBBB", len(rows[0]) * 8 // (bits * depth), len(rows), bits, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def rows_of_16_bits(channels):
    value = lambda x, y, c: (x * 2311 + y * 977 + c * 15101) % 65536
    return [
        b"".join(struct.pack(">H", value(x, y, c)) for x in range(16) for c in range(channels)) for y in range(9)
    ]


def jpegs():
    image = picture()
    for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
        save(f"jpeg-{name}.jpg", image, quality=80, subsampling=sampling)
        save(f"jpeg-{name}-progressive.jpg", image, quality=70, subsampling=sampling, progressive=True)
    save("jpeg-restart.jpg", image, quality=60, restart_marker_blocks=2)
    save("jpeg-gray.jpg", image.convert("L"), quality=80)
    save("jpeg-rgb.jpg", image, quality=60, keep_rgb=True)
    save("jpeg-one-pixel.jpg", picture(1, 1))
    for orientation in range(1, 9):
        save(f"jpeg-orientation-{orientation}.jpg", image, quality=40, exif=exif(orientation))
    buffer = io.BytesIO()
    image.convert("CMYK").save(buffer, "JPEG", quality=60)
    cmyk = buffer.getvalue()
    (folder / "jpeg-cmyk.jpg").write_bytes(cmyk)
    # The same data declared to be YCCK: the last byte of Adobe's segment.
    at = cmyk.index(b"Adobe") + 11
    (folder / "jpeg-ycck.jpg").write_bytes(cmyk[:at] + b"\x02" + cmyk[at + 1 :])


def pngs():
    image = picture()
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    save("png-rgb.png", image)
    save("png-rgba.png", alpha)
    save("png-gray.png", image.convert("L"))
    save("png-gray-alpha.png", alpha.convert("LA"))
    save("png-1-bit.png", image.convert("1"))
    save("png-palette.png", image.quantize(13), bits=4)
    save("png-palette-transparent.png", image.quantize(9), transparency=3)
    save("png-orientation-6.png", image, exif=exif(6))
    png("png-gray-2-bit.png", 2, 0, [bytes((x * 37 + y * 11) % 256 for x in range(5)) for y in range(7)])
    png("png-gray-16-bit.png", 16, 0, rows_of_16_bits(1))
    png("png-gray-alpha-16-bit.png", 16, 4, rows_of_16_bits(2))
    png("png-rgb-16-bit.png", 16, 2, rows_of_16_bits(3))
    png("png-rgba-16-bit.png", 16, 6, rows_of_16_bits(4))
    png("png-rgb-transparent.png", 8, 2, [bytes(range(30))] * 4, (b"tRNS", bytes([0, 3, 0, 4, 0, 5])))


def others():
    image = picture(30, 20)
    save("gif.gif", image.quantize(16))
    save("gif-gray.gif", image.convert("L").quantize(8))
    save("gif-transparent.gif", image.quantize(16), transparency=2)
    frames = [image.quantize(8), image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).quantize(8)]
    frames[0].save(folder / "gif-animation.gif", save_all=True, append_images=frames[1:])
    save("bmp.bmp", image)
    save("bmp-palette.bmp", image.quantize(16))
    save("bmp-1-bit.bmp", image.convert("1"))
    save("tiff.tif", image)
    save("tiff-lzw.tif", image, compression="tiff_lzw")
    save("tiff-deflate.tif", image, compression="tiff_adobe_deflate")
    save("tiff-gray.tif", image.convert("L"))
    save("tiff-1-bit.tif", image.convert("1"))
    save("tiff-16-bit.tif", Image.frombytes("I;16", (16, 9), b"".join(rows_of_16_bits(1))))
    save("tiff-orientation-8.tif", image, tiffinfo={ORIENTATION: 8})
    save("webp-lossless.webp", image, lossless=True)
    save("webp-orientation-3.webp", image, lossless=True, exif=exif(3))
    save("pnm.ppm", image)
    save("pnm-gray.pgm", image.convert("L"))
    save("pnm-1-bit.pbm", image.convert("1"))
    save("qoi.qoi", image)
    save("ico.ico", picture(16, 16).convert("RGBA"), sizes=[(16, 16)])


def random_picture(rng):
    """Of any size, smooth or noise."""
    width, height = rng.choice([(rng.randint(1, 20), rng.randint(1, 20)), (rng.randint(1, 150), rng.randint(1, 150))])
    if rng.random() < 0.5:
        return picture(width, height)
    columns, rows = rng.randint(1, 12), rng.randint(1, 12)
    return Image.frombytes("RGB", (columns, rows), rng.randbytes(3 * columns * rows)).resize((width, height))


def random_exif(rng):
    return {"exif": exif(rng.randint(1, 8))} if rng.random() < 0.4 else {}


def random_jpeg(image, rng):
    mode = rng.choice(["RGB", "RGB", "RGB", "L", "CMYK"])
    options = {"quality": rng.randint(1, 100), "progressive": rng.random() < 0.4, "optimize": rng.random() < 0.3}
    if mode == "RGB":
        options |= rng.choice([{"subsampling": rng.randint(0, 2)}] * 6 + [{"keep_rgb": True}])
    options |= rng.choice([{}, {}, {"restart_marker_rows": 1}, {"restart_marker_blocks": rng.randint(1, 9)}])
    return "jpg", image.convert(mode), options | random_exif(rng)


def random_png(image, rng):
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    colours = rng.randint(2, 256)
    palette, bits = image.quantize(colours), (colours - 1).bit_length()
    bits = next(depth for depth in (1, 2, 4, 8) if depth >= bits)
    deep = Image.frombytes("I;16", image.size, rng.randbytes(2 * image.width * image.height))
    kinds = [(image, {}), (alpha, {}), (image.convert("L"), {}), (alpha.convert("LA"), {}), (image.convert("1"), {}),
             (palette, {"bits": bits}), (palette, {"transparency": rng.randrange(2)}), (deep, {})]
    chosen, options = rng.choice(kinds)
    return "png", chosen, options | random_exif(rng)


def random_other(image, rng):
    modes = [image, image.convert("L"), image.convert("1"), image.quantize(rng.randint(2, 256))]
    tiff = {"compression": rng.choice([None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])}
    turned = {"tiffinfo": {ORIENTATION: rng.randint(1, 8)}} if rng.random() < 0.4 else {}
    return rng.choice([
        ("gif", modes[3], rng.choice([{}, {"transparency": 1}, {"interlace": 0}])),
        ("bmp", rng.choice(modes), {}),
        ("tif", rng.choice(modes[:3]), tiff | turned),
        ("webp", image, {"lossless": True} | random_exif(rng)),
        ("ppm", image, {}),
        ("pgm", modes[1], {}),
        ("pbm", modes[2], {}),
        ("qoi", image, {}),
    ])


def random_files(count, rng):
    for number in range(count):
        kind = rng.choice([random_jpeg, random_jpeg, random_jpeg, random_png, random_png, random_other])
        ending, image, options = kind(random_picture(rng), rng)
        save(f"{number}.{ending}", image, **options)


def part(width, height, rng):
    left, top = rng.randrange(width), rng.randrange(height)
    return left, top, rng.randint(1, width - left), rng.randint(1, height - top)


def lines_of(file, rng, hexed):
    # From memory: of a file that it can map, Pillow 13 turns an uncompressed gray TIFF twice.
    with Image.open(io.BytesIO(file.read_bytes())) as opened:
        rgb = ImageOps.exif_transpose(opened).convert("RGB")
    for left, top, width, height in [(0, 0, *rgb.size), part(*rgb.size, rng)]:
        area = rgb.crop((left, top, left + width, top + height))
        data = [image.tobytes() for image in (area, area.convert("L"))]
        results = " | ".join(d.hex() if hexed else f"crc {zlib.crc32(d):08x}" for d in data)
        yield f"{file.name} {rgb.width}x{rgb.height} | {left} {top} {width} {height} | {results}\n"


def main():
    folder.mkdir(exist_ok=True)
    fresh = len(sys.argv) > 1
    rng = random.Random(int(sys.argv[2]) if fresh else 20240609)
    if fresh:
        random_files(int(sys.argv[1]), rng)
    else:
        jpegs()
        pngs()
        others()
        assert all(file.stat().st_size < 3072 for file in folder.iterdir())
    lines = [line for file in sorted(folder.iterdir()) for line in lines_of(file, rng, fresh)]
    (here / "decode.txt").write_text("".join(lines))


main()
