// Decodes JPEG through libjpeg-turbo's C interface. libjpeg reports an error by a call that must not return; here it
// longjmps back to the entry point, so no Rust frame is ever jumped over.

#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

// What the entry points return; jpeg.rs has the same numbers.
enum outcome { OUTCOME_DONE = 0, OUTCOME_BROKEN = 1, OUTCOME_MEMORY = 2 };

// More scans than any encoder writes. Each scan visits every block of the image, and a scan of no bytes is valid: so
// images of more than 4 megapixels have fewer, down to a number that encoders do write.
enum { MOST_SCANS = 500, LEAST_SCANS = 50 };
#define MOST_VISITS 2e9

// Rows that libjpeg may hand out at once: at most 4 rows of samples a row group.
enum { ROWS = 4 };

struct decoder {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_source_mgr source;
  struct jpeg_progress_mgr progress;
  jmp_buf caller;
  int created;
  int truncated;
  int damaged;
  size_t length;
  char message[JMSG_LENGTH_MAX];
};

// Mirrored in jpeg.rs.
struct header {
  uint32_t width;
  uint32_t height;
  uint32_t components;
  uint32_t precision;
  uint32_t sampling;  // luma columns for each column of the coarsest component
  uint32_t lossless;  // 1: can only be decoded whole and unscaled
  uint32_t progressive;
  size_t scan;        // where the first scan's data begin
};

// Mirrored in jpeg.rs. All in pixels of the scaled image.
struct region {
  uint32_t eighths;  // scale: 1 to 8 eighths
  uint32_t channels; // 1 (gray), 3 (RGB) or 4 (CMYK as stored)
  uint32_t left;     // at the start of a column of blocks
  uint32_t top;
  uint32_t width;
  uint32_t height;
};

static void on_error(j_common_ptr jpeg) {
  struct decoder *decoder = jpeg->client_data;
  jpeg->err->format_message(jpeg, decoder->message);
  longjmp(decoder->caller, 1);
}

// Warnings tell of damage that libjpeg covered up. Pillow shows such images too; but the first is kept for who wants to know.
static void on_message(j_common_ptr jpeg, int level) {
  struct decoder *decoder = jpeg->client_data;
  if (level >= 0 || decoder->damaged) return;
  decoder->damaged = 1;
  jpeg->err->format_message(jpeg, decoder->message);
}

static int most_scans(j_decompress_ptr jpeg) {
  double scans = MOST_VISITS / ((double)jpeg->image_width * jpeg->image_height);
  return scans > MOST_SCANS ? MOST_SCANS : scans < LEAST_SCANS ? LEAST_SCANS : (int)scans;
}

static void on_progress(j_common_ptr jpeg) {
  int most = most_scans((j_decompress_ptr)jpeg);
  if (((j_decompress_ptr)jpeg)->input_scan_number <= most) return;
  struct decoder *decoder = jpeg->client_data;
  snprintf(decoder->message, sizeof decoder->message, "more than %d scans", most);
  longjmp(decoder->caller, 1);
}

static void nothing(j_decompress_ptr jpeg) { (void)jpeg; }

// All bytes were there from the start: to be asked for more means that the file ends early.
static boolean on_end(j_decompress_ptr jpeg) {
  static const JOCTET end_of_image[2] = {0xFF, JPEG_EOI};
  ((struct decoder *)jpeg->client_data)->truncated = 1;
  jpeg->src->next_input_byte = end_of_image;
  jpeg->src->bytes_in_buffer = sizeof end_of_image;
  return TRUE;
}

static void on_skip(j_decompress_ptr jpeg, long count) {
  struct jpeg_source_mgr *source = jpeg->src;
  if (count <= 0) return;
  if ((size_t)count > source->bytes_in_buffer) {
    on_end(jpeg);
    return;
  }
  source->next_input_byte += count;
  source->bytes_in_buffer -= (size_t)count;
}

static int outcome_of_error(const struct decoder *decoder) {
  int code = decoder->errors.msg_code;
  return code == JERR_OUT_OF_MEMORY || code == JERR_NO_BACKING_STORE ? OUTCOME_MEMORY : OUTCOME_BROKEN;
}

// A fresh libjpeg object for each image (microseconds): a used one keeps the tables of the image before, which a file
// without tables of its own would be decoded with.
static void start(struct decoder *decoder, const uint8_t *bytes, size_t length, uint64_t memory) {
  if (decoder->created) jpeg_destroy_decompress(&decoder->jpeg);
  decoder->created = 0;
  decoder->truncated = 0;
  decoder->damaged = 0;
  decoder->length = length;
  decoder->message[0] = 0;
  decoder->jpeg.err = jpeg_std_error(&decoder->errors);
  decoder->errors.error_exit = on_error;
  decoder->errors.emit_message = on_message;
  decoder->jpeg.client_data = decoder;
  jpeg_create_decompress(&decoder->jpeg);
  decoder->created = 1;
  decoder->jpeg.mem->max_memory_to_use = memory > LONG_MAX ? LONG_MAX : (long)memory;
  decoder->progress.progress_monitor = on_progress;
  decoder->jpeg.progress = &decoder->progress;
  decoder->source = (struct jpeg_source_mgr){
      .next_input_byte = bytes,
      .bytes_in_buffer = length,
      .init_source = nothing,
      .fill_input_buffer = on_end,
      .skip_input_data = on_skip,
      .resync_to_restart = jpeg_resync_to_restart,
      .term_source = nothing,
  };
  decoder->jpeg.src = &decoder->source;
}

struct decoder *millstream_jpeg_new(void) { return calloc(1, sizeof(struct decoder)); }

void millstream_jpeg_free(struct decoder *decoder) {
  if (decoder->created) jpeg_destroy_decompress(&decoder->jpeg);
  free(decoder);
}

const char *millstream_jpeg_message(const struct decoder *decoder) { return decoder->message; }

int millstream_jpeg_truncated(const struct decoder *decoder) { return decoder->truncated; }

// Whether the message is of damage that was covered up.
int millstream_jpeg_damaged(const struct decoder *decoder) { return decoder->damaged; }

static void read_header(struct decoder *decoder, struct header *header) {
  struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
  jpeg_read_header(jpeg, TRUE);
  header->width = jpeg->image_width;
  header->height = jpeg->image_height;
  header->components = (uint32_t)jpeg->num_components;
  header->precision = (uint32_t)jpeg->data_precision;
  header->sampling = (uint32_t)jpeg->max_h_samp_factor;
  // A lossless scan has its predictor where a DCT scan has its first coefficient, which is 0 but in progressive files.
  header->lossless = !jpeg->progressive_mode && jpeg->Ss != 0;
  header->progressive = jpeg->progressive_mode;
  header->scan = decoder->length - (decoder->truncated ? 0 : decoder->source.bytes_in_buffer);
}

// Reads up to the first scan. `bytes` must stay where they are until the image was read.
int millstream_jpeg_open(struct decoder *decoder, const uint8_t *bytes, size_t length, uint64_t memory,
                         struct header *header) {
  if (setjmp(decoder->caller)) return outcome_of_error(decoder);
  start(decoder, bytes, length, memory);
  read_header(decoder, header);
  return OUTCOME_DONE;
}

static J_COLOR_SPACE colours(uint32_t channels) {
  switch (channels) {
    case 1: return JCS_GRAYSCALE;
    case 4: return JCS_CMYK;
    default: return JCS_RGB;
  }
}

static void read_rows(struct jpeg_decompress_struct *jpeg, uint32_t rows, size_t stride, uint8_t *pixels) {
  while (rows > 0) {
    JSAMPROW targets[ROWS];
    uint32_t count = rows < ROWS ? rows : ROWS;
    for (uint32_t i = 0; i < count; i++) targets[i] = pixels + i * stride;
    JDIMENSION done = jpeg_read_scanlines(jpeg, targets, count);
    if (done == 0) ERREXIT(jpeg, JERR_CANT_SUSPEND);
    pixels += done * stride;
    rows -= done;
  }
}

// Decodes a region of the opened image. `pixels` has room for width x height x channels bytes; the region lies inside.
int millstream_jpeg_read(struct decoder *decoder, const struct region *region, uint8_t *pixels) {
  struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
  decoder->damaged = 0; // odd headers do no harm to pixels
  if (setjmp(decoder->caller)) return outcome_of_error(decoder);
  jpeg->out_color_space = colours(region->channels);
  jpeg->dct_method = JDCT_ISLOW;
  jpeg->do_fancy_upsampling = TRUE;
  jpeg->scale_num = region->eighths;
  jpeg->scale_denom = 8;
  jpeg_start_decompress(jpeg);
  JDIMENSION left = region->left, width = region->width;
  if (width != jpeg->output_width) jpeg_crop_scanline(jpeg, &left, &width);
  if (left != region->left || width != region->width || jpeg->output_components != (int)region->channels)
    ERREXIT(jpeg, JERR_BAD_CROP_SPEC);
  if (region->top > 0) jpeg_skip_scanlines(jpeg, region->top);
  read_rows(jpeg, region->height, (size_t)width * region->channels, pixels);
  // Rows below the region are not even parsed.
  if (jpeg->output_scanline == jpeg->output_height) jpeg_finish_decompress(jpeg);
  return OUTCOME_DONE;
}
