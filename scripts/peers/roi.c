/* A ceiling: libjpeg-turbo in threads, on JPEGs in memory, with nothing done to the pixels.
 *
 *   roi THREADS PASSES full|roi|roiscale < LIST-OF-FILES     prints a JSON line: images/s of each pass
 *
 * full      the whole image to RGB
 * roi       the box of a RandomResizedCrop: its columns are cropped, rows above are skipped, rows below never read
 * roiscale  the same, scaled in the DCT where the box stays at least 224 x 224
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

#define TEXT(x) #x
#define VERSION(x) TEXT(x)
#define MAX_FILES 100000
#define MAX_THREADS 64
#define ROWS 16
#define SIDE 224

typedef struct { unsigned char *bytes; size_t size; } File;
typedef struct { int left, top, width, height; } Box;
typedef enum { FULL, ROI, ROI_SCALE } Mode;

static File files[MAX_FILES];
static int count, threads, passes;
static size_t largest_image = 1;
static Mode mode;
static pthread_barrier_t barrier;

static void die(const char *why) {
  fprintf(stderr, "roi: %s\n", why);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Uniform in [0, 1): xorshift64. */
static double uniform(unsigned long long *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (*state >> 11) * 0x1p-53;
}

/* torchvision's: scale 0.08 to 1, ratio 3/4 to 4/3, the first of ten draws that fits, else the largest square. */
static Box random_box(int width, int height, unsigned long long *state) {
  Box box = {0, 0, width < height ? width : height, width < height ? width : height};
  for (int draw = 0; draw < 10; draw++) {
    double area = (double)width * height * (0.08 + 0.92 * uniform(state));
    double ratio = exp(log(3.0 / 4) + uniform(state) * (log(4.0 / 3) - log(3.0 / 4)));
    int w = lround(sqrt(area * ratio)), h = lround(sqrt(area / ratio));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      box.width = w;
      box.height = h;
      break;
    }
  }
  box.left = uniform(state) * (width - box.width + 1);
  box.top = uniform(state) * (height - box.height + 1);
  return box;
}

/* The smallest of 8/8, 4/8, 2/8 and 1/8 that keeps the box large enough. */
static Box scale(struct jpeg_decompress_struct *jpeg, Box box) {
  int eighths = 8;
  while (eighths > 1 && box.width * (eighths / 2) / 8 >= SIDE && box.height * (eighths / 2) / 8 >= SIDE) eighths /= 2;
  jpeg->scale_num = eighths;
  jpeg->scale_denom = 8;
  return (Box){box.left * eighths / 8, box.top * eighths / 8, box.width * eighths / 8, box.height * eighths / 8};
}

static void decode(const File *file, unsigned char *out, unsigned long long *state) {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr error;
  jpeg.err = jpeg_std_error(&error);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file->bytes, file->size);
  jpeg_read_header(&jpeg, TRUE);
  jpeg.out_color_space = JCS_RGB;
  jpeg.dct_method = JDCT_ISLOW;
  Box box = {0, 0, jpeg.image_width, jpeg.image_height};
  if (mode != FULL) box = random_box(box.width, box.height, state);
  if (mode == ROI_SCALE) box = scale(&jpeg, box);
  jpeg_start_decompress(&jpeg);
  if (mode != FULL) {
    JDIMENSION left = box.left, width = box.width;
    if (left + width > jpeg.output_width) width = jpeg.output_width - left;
    jpeg_crop_scanline(&jpeg, &left, &width);
    if (box.top) jpeg_skip_scanlines(&jpeg, box.top);
  }
  int rows = box.height;
  if (box.top + rows > (int)jpeg.output_height) rows = jpeg.output_height - box.top;
  size_t stride = (size_t)jpeg.output_width * 3;
  for (int done = 0; done < rows;) {
    JSAMPROW lines[ROWS];
    int wanted = rows - done < ROWS ? rows - done : ROWS;
    for (int row = 0; row < wanted; row++) lines[row] = out + (size_t)(done + row) * stride;
    done += jpeg_read_scanlines(&jpeg, lines, wanted);
  }
  if (mode == FULL) jpeg_finish_decompress(&jpeg);
  else jpeg_abort_decompress(&jpeg);
  jpeg_destroy_decompress(&jpeg);
}

static void *work(void *number) {
  long worker = (long)number;
  unsigned long long state = 88172645463325252ULL + worker * 7919;
  unsigned char *out = malloc(largest_image);
  if (!out) die("out of memory");
  for (int pass = 0; pass <= passes; pass++) {
    for (int i = worker; i < count; i += threads) decode(&files[i], out, &state);
    pthread_barrier_wait(&barrier);
  }
  free(out);
  return NULL;
}

/* Notes how much room the whole image needs. */
static void look_at(const File *file) {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr error;
  jpeg.err = jpeg_std_error(&error);
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, file->bytes, file->size);
  jpeg_read_header(&jpeg, TRUE);
  size_t size = (size_t)jpeg.image_width * jpeg.image_height * 3;
  if (size > largest_image) largest_image = size;
  jpeg_destroy_decompress(&jpeg);
}

static void read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file || count == MAX_FILES) die(path);
  fseek(file, 0, SEEK_END);
  size_t size = ftell(file);
  rewind(file);
  files[count] = (File){malloc(size), size};
  if (!files[count].bytes || fread(files[count].bytes, 1, size, file) != size) die(path);
  fclose(file);
  look_at(&files[count++]);
}

static Mode mode_of(const char *name) {
  if (!strcmp(name, "full")) return FULL;
  if (!strcmp(name, "roi")) return ROI;
  if (!strcmp(name, "roiscale")) return ROI_SCALE;
  die("the mode is full, roi or roiscale");
  return FULL;
}

int main(int arguments, char **argument) {
  if (arguments != 4) die("usage: roi THREADS PASSES full|roi|roiscale < LIST-OF-FILES");
  threads = atoi(argument[1]);
  passes = atoi(argument[2]);
  mode = mode_of(argument[3]);
  if (threads < 1 || threads > MAX_THREADS || passes < 1) die("1 to 64 threads, 1 or more passes");
  char path[4096];
  while (fgets(path, sizeof path, stdin)) {
    path[strcspn(path, "\n")] = 0;
    read_file(path);
  }
  pthread_barrier_init(&barrier, NULL, threads + 1);
  pthread_t thread[MAX_THREADS];
  for (long worker = 0; worker < threads; worker++) pthread_create(&thread[worker], NULL, work, (void *)worker);
  printf("{\"library\": \"libjpeg-turbo %s\", ", VERSION(LIBJPEG_TURBO_VERSION));
  printf("\"images\": %d, \"images_per_second\": [", count);
  double begun = 0;
  for (int pass = 0; pass <= passes; pass++) {
    pthread_barrier_wait(&barrier);
    double ended = now();
    /* The first pass warms up. */
    if (pass) printf("%s%.1f", pass > 1 ? ", " : "", count / (ended - begun));
    begun = ended;
  }
  puts("]}");
  for (int worker = 0; worker < threads; worker++) pthread_join(thread[worker], NULL);
  return 0;
}
