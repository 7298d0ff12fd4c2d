"""Writes small image files into decode/ and what Pillow decodes them to into decode.txt.

Run it where it lies, with pillow==13.0.0. One line a file: name, width, height, and the CRC-32 of the pixels as
exif_transpose(image).convert("RGB") and of those as convert("L").
"""

import io
import pathlib
import struct
import zlib

import PIL
from PIL import Image, ImageOps

assert PIL.__version__ == "13.0.0"
here = pathlib.Path(__file__).parent
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


folder.mkdir(exist_ok=True)
jpegs()
pngs()
others()
lines = []
for file in sorted(folder.iterdir()):
    assert file.stat().st_size < 3072, file
    with Image.open(file) as opened:
        rgb = ImageOps.exif_transpose(opened).convert("RGB")
    crc = [zlib.crc32(image.tobytes()) for image in (rgb, rgb.convert("L"))]
    lines.append(f"{file.name} {rgb.width} {rgb.height} {crc[0]:08x} {crc[1]:08x}\n")
(here / "decode.txt").write_text("".join(lines))
