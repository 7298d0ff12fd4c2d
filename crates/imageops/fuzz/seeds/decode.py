"""Writes the seeds in decode/: kinds of image files that are not in golden/decode. Run it where it lies, with pillow==13.0.0."""

import pathlib
import struct
import zlib

from PIL import Image

folder = pathlib.Path(__file__).parent / "decode"
folder.mkdir(exist_ok=True)
WIDTH, HEIGHT = 21, 13


def picture(mode="RGB"):
    image = Image.new("RGB", (WIDTH, HEIGHT))
    image.putdata([(x * 12, y * 19, (x * y) % 256) for y in range(HEIGHT) for x in range(WIDTH)])
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        return image
    return image.convert(mode)


def save(name, mode="RGB", **options):
    picture(mode).save(folder / name, **options)


def animation(name, **options):
    frames = [picture("RGBA"), picture("RGBA").rotate(180)]
    frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=50, **options)


def interlaced_png():
    """Adam7: seven images, each of every so manieth column and row."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = picture().load()
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [
        b"\0" + b"".join(bytes(pixels[x, y]) for x in range(left, WIDTH, across))
        for left, top, across, down in passes
        for y in range(top, HEIGHT, down)
    ]
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)
    chunks = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"".join(rows))), chunk(b"IEND", b"")]
    (folder / "png-interlaced.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def run_length_bmp():
    """RLE8: pairs of a count and an index; 0 0 ends a row and 0 1 the image."""
    row = b"".join(bytes([3, index]) for index in range(7)) + b"\0\0"
    data = row * HEIGHT + b"\0\1"
    palette = b"".join(bytes([i * 30, 255 - i * 30, i, 0]) for i in range(8))
    start = 14 + 40 + len(palette)
    sizes = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(data), 2835, 2835, 8, 8)
    header = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    (folder / "bmp-run-length.bmp").write_bytes(header + sizes + palette + data)


def pnm():
    values = list(picture().tobytes())
    gray = list(picture("L").tobytes())
    text = lambda numbers: " ".join(map(str, numbers)).encode() + b"\n"
    size = b"%d %d\n" % (WIDTH, HEIGHT)
    small = b"3 2\n"
    (folder / "pnm-text.pbm").write_bytes(b"P1\n" + size + text(v > 90 for v in gray).replace(b"True", b"1").replace(b"False", b"0"))
    (folder / "pnm-text.pgm").write_bytes(b"P2\n" + size + b"255\n" + text(gray))
    (folder / "pnm-text.ppm").write_bytes(b"P3\n# comment\n" + small + b"255\n" + text(values[:18]))
    (folder / "pnm-16-bit.pgm").write_bytes(b"P5\n" + size + b"65535\n" + b"".join(struct.pack(">H", v * 257) for v in gray))
    header = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % (WIDTH, HEIGHT)
    (folder / "pnm.pam").write_bytes(header + picture("RGBA").tobytes())


save("webp-lossy.webp", quality=60)
save("webp-lossy-alpha.webp", "RGBA", quality=60)
animation("webp-animation.webp", quality=40)
animation("png-animation.png")
interlaced_png()
save("gif-interlaced.gif", "P", interlace=1)
save("bmp-alpha.bmp", "RGBA")
run_length_bmp()
picture("RGBA").resize((16, 16)).save(folder / "ico-bmp.ico", sizes=[(16, 16)], bitmap_format="bmp")
save("qoi-alpha.qoi", "RGBA")
save("tiff-pack-bits.tif", "L", compression="packbits")
save("tiff-deflate-predictor.tif", compression="tiff_adobe_deflate", tiffinfo={317: 2})
save("tiff-cmyk.tif", "CMYK")
save("tiff-fax.tif", "1", compression="group4")
save("tiff-jpeg.tif", compression="jpeg")
pnm()
