/*
 * test_tiles.c -- products, finishes, softmax, layer norm, conversions and attention on every
 * instruction set of this machine, against the same arithmetic done plainly in double.
 */
#include "../support/test.h"

#include <math.h>
#include <stdint.h>

#include "embed/attention.h"
#include "embed/kernels.h"
#include "embed/linear.h"
#include "embed/tiles.h"

#define DEPTH_MAX 96
#define WIDTH     83 /* five vectors and a rest */
#define ROWS      29 /* two tiles and a rest */

static float bf16_rounded(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float bf16_value(const void *at)
{
    uint16_t half;
    uint32_t bits;
    float value;

    memcpy(&half, at, sizeof half);
    bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float random_value(void)
{
    return (float)(2 * test_uniform() - 1);
}

/* ---- tiles ---- */

union groups {
    float f32[1];
    uint16_t bf16[2];
    uint8_t u8[4];
    int8_t i8[4];
};

struct product {
    union groups a[SL_TILE_ROWS_MAX][DEPTH_MAX];
    union groups panel[DEPTH_MAX][SL_TILE_COLUMNS];
};

static void fill(union groups *group, enum sl_precision precision, bool is_signed)
{
    for (uint32_t i = 0; i < sl_tile_group(precision); i++) {
        float value = bf16_rounded(random_value());
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        if (precision == SL_PRECISION_F32)
            group->f32[i] = random_value();
        else if (precision == SL_PRECISION_BF16)
            group->bf16[i] = (uint16_t)(bits >> 16);
        else if (is_signed)
            group->i8[i] = (int8_t)(test_random() % 255 - 127);
        else
            group->u8[i] = (uint8_t)test_random();
    }
}

static void fill_product(struct product *product, enum sl_precision precision)
{
    for (uint32_t d = 0; d < DEPTH_MAX; d++) {
        for (uint32_t r = 0; r < SL_TILE_ROWS_MAX; r++)
            fill(&product->a[r][d], precision, false);
        for (uint32_t c = 0; c < SL_TILE_COLUMNS; c++)
            fill(&product->panel[d][c], precision, true);
    }
}

static double plain_sum(const struct product *product, enum sl_precision precision, uint32_t r,
                        uint32_t c, uint32_t depth)
{
    double sum = 0;

    for (uint32_t d = 0; d < depth; d++) {
        const union groups *x = &product->a[r][d], *y = &product->panel[d][c];
        for (uint32_t i = 0; i < sl_tile_group(precision); i++)
            if (precision == SL_PRECISION_F32)
                sum += (double)x->f32[i] * (double)y->f32[i];
            else if (precision == SL_PRECISION_BF16)
                sum += (double)bf16_value(&x->bf16[i]) * (double)bf16_value(&y->bf16[i]);
            else
                sum += (double)x->u8[i] * (double)y->i8[i];
    }
    return sum;
}

/* How far the sums of `rows` rows are from exact, in the worst case. */
static double worst_sum(const struct sl_tile *tile, const struct product *product, uint32_t depth,
                        uint32_t rows)
{
    union {
        float f32;
        int32_t i32;
    } sums[SL_TILE_ROWS_MAX][SL_TILE_COLUMNS + 3]; /* a stride of its own */
    double worst = 0;

    tile->multiply(product->a, sizeof product->a[0], product->panel, depth, rows, sums,
                   sizeof sums[0]);
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t c = 0; c < SL_TILE_COLUMNS; c++) {
            double sum =
                tile->precision == SL_PRECISION_INT8 ? sums[r][c].i32 : (double)sums[r][c].f32;
            double away = fabs(sum - plain_sum(product, tile->precision, r, c, depth));
            worst = away > worst || isnan(away) ? away : worst;
        }
    return worst;
}

/* A tile that stops one group early. */
static void (*multiply_all)(const void *, size_t, const void *, uint32_t, uint32_t, void *, size_t);

static void leave_out_the_last(const void *a, size_t a_stride, const void *panel, uint32_t depth,
                               uint32_t rows, void *ret, size_t ret_stride)
{
    multiply_all(a, a_stride, panel, depth - 1, rows, ret, ret_stride);
}

TEST(every_tile_agrees_with_exact_sums)
{
    static struct product product;
    const struct sl_tile *tile;

    for (enum sl_precision p = SL_PRECISION_F32; p < SL_PRECISION_COUNT; p++)
        for (uint32_t n = 0; (tile = sl_tile_at(p, n)) != NULL; n++) {
            const double bound = p == SL_PRECISION_INT8 ? 0.5 : 1e-4;
            double worst = 0;
            printf("%s: %s\n", sl_precision_name(p), tile->name);
            fill_product(&product, p);
            for (uint32_t rows = 1; rows <= tile->rows_max; rows++)
                for (uint32_t depth = 1; depth <= DEPTH_MAX; depth += rows % 2 ? 95 : 7)
                    worst = fmax(worst, worst_sum(tile, &product, depth, rows));
            CHECK_THAT(worst < bound, "%s: %g", tile->name, worst);
        }
}

TEST(the_comparison_of_sums_can_fail)
{
    static struct product product;
    struct sl_tile shifted;

    for (enum sl_precision p = SL_PRECISION_F32; p < SL_PRECISION_COUNT; p++) {
        fill_product(&product, p);
        shifted = *sl_tile_best(p);
        multiply_all = shifted.multiply;
        shifted.multiply = leave_out_the_last;
        CHECK(worst_sum(&shifted, &product, DEPTH_MAX, shifted.rows_max) > 0.05);
    }
}

TEST(the_largest_codes_do_not_saturate)
{
    static struct product product;
    const struct sl_tile *tile;

    memset(product.a, 255, sizeof product.a);
    for (uint32_t d = 0; d < DEPTH_MAX; d++)
        for (uint32_t c = 0; c < SL_TILE_COLUMNS; c++)
            memset(&product.panel[d][c], c % 2 ? 127 : -127, SL_TILE_GROUP_BYTES);
    for (uint32_t n = 0; (tile = sl_tile_at(SL_PRECISION_INT8, n)) != NULL; n++)
        CHECK_THAT(worst_sum(tile, &product, DEPTH_MAX, tile->rows_max) < 0.5, "%s", tile->name);
}

TEST(a_row_is_the_same_whatever_is_beside_it)
{
    static struct product product;
    const struct sl_tile *tile;

    for (enum sl_precision p = SL_PRECISION_F32; p < SL_PRECISION_COUNT; p++)
        for (uint32_t n = 0; (tile = sl_tile_at(p, n)) != NULL; n++) {
            uint32_t together[SL_TILE_ROWS_MAX][SL_TILE_COLUMNS], alone[SL_TILE_COLUMNS];
            fill_product(&product, p);
            tile->multiply(product.a, sizeof product.a[0], product.panel, DEPTH_MAX, tile->rows_max,
                           together, sizeof together[0]);
            for (uint32_t r = 0; r < tile->rows_max; r++) {
                tile->multiply(product.a[r], sizeof product.a[0], product.panel, DEPTH_MAX, 1,
                               alone, sizeof alone);
                CHECK_THAT(memcmp(together[r], alone, sizeof alone) == 0, "%s", tile->name);
            }
        }
}

/* ---- linear layers ---- */

#define IN  WIDTH
#define OUT 45

struct layer {
    float x[ROWS][IN], weights[OUT][IN], bias[OUT];
};

static double plain_out(const struct layer *layer, uint32_t r, uint32_t o, enum sl_finish finish)
{
    double sum = finish == SL_FINISH_RAW ? 0 : (double)layer->bias[o];

    for (uint32_t i = 0; i < IN; i++)
        sum += (double)layer->x[r][i] * (double)layer->weights[o][i];
    if (finish == SL_FINISH_GELU || finish == SL_FINISH_GELU_BF16)
        sum = sum * 0.5 * erfc(-sum / sqrt(2));
    return sum;
}

static double worst_out(const struct sl_machine *machine, const struct layer *layer,
                        enum sl_finish finish)
{
    const bool halved = finish == SL_FINISH_BIAS_BF16 || finish == SL_FINISH_GELU_BF16;
    const enum sl_precision precision = machine->tile->precision;
    _Alignas(64) float ret[ROWS][64];
    struct sl_operand_space space;
    struct sl_weights weights;
    struct sl_operand x;
    double worst = 0;

    if (!sl_weights_init(&weights, precision, layer->weights[0], layer->bias, OUT, IN) ||
        !sl_operand_space_init(&space, precision, IN))
        abort();
    x = sl_operand_of(machine, &space, layer->x[0], sizeof layer->x[0], ROWS, IN);
    sl_linear(machine, &weights, &x, ROWS, finish, ret, sizeof ret[0]);
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t o = 0; o < OUT; o++) {
            float out = halved ? bf16_value((const uint16_t *)(const void *)ret[r] + o) : ret[r][o];
            double away = fabs((double)out - plain_out(layer, r, o, finish));
            worst = away > worst || isnan(away) ? away : worst;
        }
    sl_operand_space_fini(&space);
    sl_weights_fini(&weights);
    return worst;
}

static void fill_layer(struct layer *layer)
{
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t i = 0; i < IN; i++)
            layer->x[r][i] = random_value() * (float)(1 + r);
    for (uint32_t o = 0; o < OUT; o++)
        for (uint32_t i = 0; i < IN; i++)
            layer->weights[o][i] = random_value() / (float)(1 + o);
    for (uint32_t o = 0; o < OUT; o++)
        layer->bias[o] = random_value();
    for (uint32_t i = 0; i < IN; i++) {
        layer->x[3][i] = 0.25f;   /* a row of one value */
        layer->x[4][i] = 0;       /* a row of nothing */
        layer->weights[5][i] = 0; /* an output of nothing */
    }
}

TEST(linear_layers_agree_with_exact_ones)
{
    /* Rows are up to 30 times their weights; int8's is a part in 255 of each factor, at random. */
    static const double bounds[SL_PRECISION_COUNT] = {2e-4, 1.0, 3.0};
    static struct layer layer;
    const struct sl_tile *tile;

    fill_layer(&layer);
    for (enum sl_precision p = SL_PRECISION_F32; p < SL_PRECISION_COUNT; p++)
        for (uint32_t n = 0; (tile = sl_tile_at(p, n)) != NULL; n++)
            for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
                for (enum sl_finish f = SL_FINISH_RAW; f < SL_FINISH_COUNT; f++) {
                    const struct sl_machine machine = {tile, *set};
                    const bool halved = f == SL_FINISH_BIAS_BF16 || f == SL_FINISH_GELU_BF16;
                    const double worst = worst_out(&machine, &layer, f);
                    CHECK_THAT(worst < (halved ? fmax(bounds[p], 0.5) : bounds[p]),
                               "%s, %s, finish %d: %g", tile->name, (*set)->name, (int)f, worst);
                }
}

/* Mean error over its mean size: what a precision is for. */
static double mean_out(enum sl_precision precision, const struct layer *layer)
{
    const struct sl_machine machine = {sl_tile_best(precision), sl_kernels_best()};
    _Alignas(64) float ret[ROWS][64];
    struct sl_operand_space space;
    struct sl_weights weights;
    struct sl_operand x;
    double away = 0, size = 0;

    if (!sl_weights_init(&weights, precision, layer->weights[0], layer->bias, OUT, IN) ||
        !sl_operand_space_init(&space, precision, IN))
        abort();
    x = sl_operand_of(&machine, &space, layer->x[0], sizeof layer->x[0], ROWS, IN);
    sl_linear(&machine, &weights, &x, ROWS, SL_FINISH_RAW, ret, sizeof ret[0]);
    for (uint32_t r = 0; r < ROWS; r++)
        for (uint32_t o = 0; o < OUT; o++) {
            double expected = plain_out(layer, r, o, SL_FINISH_RAW);
            away += fabs((double)ret[r][o] - expected);
            size += fabs(expected);
        }
    sl_operand_space_fini(&space);
    sl_weights_fini(&weights);
    return away / size;
}

TEST(precisions_are_as_precise_as_their_bits)
{
    static struct layer layer;

    fill_layer(&layer);
    CHECK_THAT(mean_out(SL_PRECISION_F32, &layer) < 1e-6, "%g", mean_out(SL_PRECISION_F32, &layer));
    CHECK_THAT(mean_out(SL_PRECISION_BF16, &layer) < 4e-3, "%g",
               mean_out(SL_PRECISION_BF16, &layer));
    CHECK_THAT(mean_out(SL_PRECISION_INT8, &layer) < 1e-2, "%g",
               mean_out(SL_PRECISION_INT8, &layer));
    CHECK(mean_out(SL_PRECISION_BF16, &layer) > 1e-5); /* and not more than theirs */
    CHECK(mean_out(SL_PRECISION_INT8, &layer) > 1e-4);
}

/* ---- kernels ---- */

TEST(gelu_is_exact_on_every_instruction_set)
{
    static const double bounds[SL_PRECISION_COUNT] = {1e-6, 5e-5, 5e-5};

    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
        for (int p = 0; p < SL_PRECISION_COUNT; p++)
            for (int start = -120; start < 120; start++) {
                float sums[SL_TILE_COLUMNS] = {0}, bias[SL_TILE_COLUMNS], ret[SL_TILE_COLUMNS];
                const float one[SL_TILE_COLUMNS] = {0};
                const struct sl_finish_job job = {sums, 1,   bias, one,       one,
                                                  one,  one, ret,  sizeof ret};
                for (int i = 0; i < (int)SL_TILE_COLUMNS; i++)
                    bias[i] = (float)start * 0.1f + (float)i * 0.003f;
                (*set)->finish[p][SL_FINISH_GELU](&job);
                for (uint32_t i = 0; i < SL_TILE_COLUMNS; i++) {
                    const double x = (double)bias[i], expected = x * 0.5 * erfc(-x / sqrt(2));
                    CHECK_THAT(fabs((double)ret[i] - expected) < bounds[p] * fmax(1, fabs(x)),
                               "%s %d at %g: %g, not %g", (*set)->name, p, x, (double)ret[i],
                               expected);
                }
            }
}

static void plain_softmax(const float *row, uint32_t width, double factor, double *ret)
{
    double most = (double)row[0], sum = 0;

    for (uint32_t i = 1; i < width; i++)
        most = fmax(most, (double)row[i]);
    for (uint32_t i = 0; i < width; i++)
        sum += ret[i] = exp(((double)row[i] - most) * factor);
    for (uint32_t i = 0; i < width; i++)
        ret[i] /= sum;
}

static void check_softmax(const struct sl_kernels *set, uint32_t width, bool halved)
{
    float rows[2][WIDTH + 13], factors[2]; /* room for whole vectors */
    double expected[WIDTH];

    for (uint32_t r = 0; r < 2; r++) /* gentle and steep rows */
        for (uint32_t i = 0; i < WIDTH; i++)
            rows[r][i] = (float)((r * WIDTH + i) * 37 % 101) * (width % 2 ? 0.1f : 30.0f) - 20;
    plain_softmax(rows[1], width, 0.5, expected);
    (halved ? set->exps_bf16 : set->exps)(rows[0], sizeof rows[0], 2, width, 0.5f, factors);
    for (uint32_t i = 0; i < width; i++) {
        const uint16_t *halves = (const void *)rows[1];
        const double found = (double)(halved ? bf16_value(halves + i) : rows[1][i]);
        CHECK_THAT(fabs(found * (double)factors[1] - expected[i]) < (halved ? 4e-3 : 2e-6),
                   "%s width %u: %g, not %g", set->name, width, found * (double)factors[1],
                   expected[i]);
        if (halved && width % 2 != 0)
            CHECK(bf16_value(halves + width) < 1e-30f);
    }
}

TEST(softmax_is_exact_on_every_instruction_set)
{
    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
        for (uint32_t width = 1; width <= WIDTH; width++) {
            check_softmax(*set, width, false);
            check_softmax(*set, width, true);
        }
}

TEST(layer_norm_is_exact_on_every_instruction_set)
{
    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++) {
        float row[WIDTH], added[WIDTH], bias[WIDTH], ones[WIDTH];
        double mean = 0, variance = 0, sums[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            row[i] = (float)test_uniform();
            added[i] = (float)test_uniform() * 4;
            bias[i] = (float)test_uniform();
            ones[i] = (float)i;
            sums[i] = (double)row[i] + (double)added[i] + (double)bias[i];
            mean += sums[i] / WIDTH;
        }
        for (int i = 0; i < WIDTH; i++)
            variance += (sums[i] - mean) * (sums[i] - mean) / WIDTH;
        (*set)->add_norm(row, added, sizeof added, 1, WIDTH, bias, ones, ones, 1e-5f);
        for (int i = 0; i < WIDTH; i++) {
            double expected = (sums[i] - mean) / sqrt(variance + 1e-5) * i + i;
            CHECK_THAT(fabs((double)row[i] - expected) < 1e-4 * fmax(1, fabs(expected)),
                       "%s: %g, not %g", (*set)->name, (double)row[i], expected);
        }
    }
}

TEST(conversions_are_the_nearest_on_every_instruction_set)
{
    for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
        for (uint32_t width = 1; width <= WIDTH; width++) {
            float row[WIDTH], scale, minimum, factor = 3, scaled[WIDTH];
            uint16_t halves[WIDTH + 1];
            uint8_t codes[WIDTH + 1];
            halves[width] = 7;
            codes[width] = 7;
            for (uint32_t i = 0; i < WIDTH; i++)
                row[i] = random_value() * 5 + 1;
            (*set)->to_bf16(row, sizeof row, 1, width, halves, sizeof halves);
            (*set)->to_int8(row, sizeof row, 1, width, codes, sizeof codes, &scale, &minimum);
            (*set)->scale_rows(row, sizeof row, 1, width, &factor, scaled, sizeof scaled);
            for (uint32_t i = 0; i < width; i++) {
                float code = minimum + scale * (float)codes[i];
                CHECK(bf16_value(&halves[i]) == bf16_rounded(row[i]));
                CHECK_THAT(fabsf(code - row[i]) <= 0.5001f * scale + 1e-6f, "%s: %g, not %g",
                           (*set)->name, (double)code, (double)row[i]);
                CHECK(scaled[i] == row[i] * factor);
            }
            CHECK(halves[width] == 7 && codes[width] == 7); /* nothing behind the row */
        }
}

/* ---- attention ---- */

#define HEADS      3
#define LENGTH_MAX 71
#define HEAD_MAX   40

struct sequence {
    float qkv[LENGTH_MAX][3 * HEADS * HEAD_MAX];
    float mixed[LENGTH_MAX][HEADS * HEAD_MAX];
    uint16_t half_qkv[LENGTH_MAX][3 * HEADS * HEAD_MAX];
};

static double plain_mixed(const struct sequence *s, uint32_t row, uint32_t head, uint32_t i,
                          uint32_t width, uint32_t length)
{
    const uint32_t hidden = HEADS * width;
    double sum = 0, ret = 0;

    for (uint32_t t = 0; t < length; t++) {
        double dot = 0, weight;
        for (uint32_t j = head * width; j < (head + 1) * width; j++)
            dot += (double)s->qkv[row][j] * (double)s->qkv[t][hidden + j];
        weight = exp(dot / sqrt(width));
        sum += weight;
        ret += weight * (double)s->qkv[t][2 * hidden + head * width + i];
    }
    return ret / sum;
}

static void check_attention(const struct sl_tile *tile, const struct sl_kernels *set,
                            uint32_t width, uint32_t length, uint32_t query_count)
{
    const struct sl_attention attention = {{tile, set}, HEADS, width};
    const bool bf16 = tile->precision == SL_PRECISION_BF16;
    static struct sequence s;
    struct sl_attention_space space;
    double worst = 0;

    for (uint32_t r = 0; r < length; r++)
        for (uint32_t i = 0; i < 3 * HEADS * width; i++) {
            uint32_t bits;
            s.qkv[r][i] = bf16_rounded(random_value() * 2);
            memcpy(&bits, &s.qkv[r][i], sizeof bits);
            s.half_qkv[r][i] = (uint16_t)(bits >> 16);
        }
    REQUIRE(sl_attention_space_init(&space, &attention, length));
    sl_attend(&attention, &space, bf16 ? (void *)s.half_qkv : (void *)s.qkv,
              bf16 ? sizeof s.half_qkv[0] : sizeof s.qkv[0], length, query_count, s.mixed,
              sizeof s.mixed[0], false);
    for (uint32_t r = 0; r < query_count; r++)
        for (uint32_t i = 0; i < HEADS * width; i++) {
            double expected = plain_mixed(&s, r, i / width, i % width, width, length);
            double away = fabs((double)s.mixed[r][i] - expected);
            worst = away > worst || isnan(away) ? away : worst;
        }
    CHECK_THAT(worst < (bf16 ? 1e-2 : 1e-5), "%s, %s, width %u, length %u: %g", tile->name,
               set->name, width, length, worst);
    sl_attention_space_fini(&space);
}

TEST(attention_agrees_with_exact_attention)
{
    const struct sl_tile *tile;

    for (enum sl_precision p = SL_PRECISION_F32; p <= SL_PRECISION_BF16; p++)
        for (uint32_t n = 0; (tile = sl_tile_at(p, n)) != NULL; n++)
            for (const struct sl_kernels *const *set = sl_kernels_all(); *set != NULL; set++)
                for (uint32_t length = 1; length <= LENGTH_MAX; length += 14) {
                    check_attention(tile, *set, 8, length, length);
                    check_attention(tile, *set, 32, length, 1);
                    check_attention(tile, *set, HEAD_MAX, length, length);
                }
}
