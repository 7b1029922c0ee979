/* SPDX-License-Identifier: MIT */
/* Parameters written as YAML, JSON and reference. */
#include "gtest.h"

#include <stdlib.h>
#include <string.h>

#include "base/param_reference.h"
#include "base/rng.h"
#include "sample_schema.h"

/* A stream into memory. */
struct capture {
    char *text;
    size_t size;
    FILE *out;
};

static void capture_begin(struct capture *c)
{
    c->out = open_memstream(&c->text, &c->size);
    assert_non_null(c->out);
}

static const char *capture_end(struct capture *c)
{
    fclose(c->out);
    return c->text;
}

static void defaults(struct sample *p)
{
    memset(p, 0, sizeof(*p));
    params_defaults(&sample_schema, p);
}

static void yaml_is_nested_and_commented(void **state)
{
    (void)state;
    struct sample p;
    defaults(&p);
    strcpy(p.core.trace, "a \"b\" \\c");
    struct capture c;
    capture_begin(&c);
    params_write_yaml(&sample_schema, &p, c.out);
    assert_string_equal(
        capture_end(&c),
        "tlb:\n"
        "  l1:                                       # first level\n"
        "    entries: 64                             # translations that the structure holds [entries]\n"
        "    ways: 4                                 # associativity [ways]\n"
        "    sizes: [4k]                             # page sizes that it holds\n"
        "  l2:                                       # second level\n"
        "    entries: 1536                           # translations that the structure holds [entries]\n"
        "    ways: 12                                # associativity [ways]\n"
        "    sizes: [4k, 2m]                         # page sizes that it holds\n"
        "core:                                       # the core\n"
        "  model: inorder                            # timing model\n"
        "  tagged: true                              # entries carry the VPID\n"
        "  memory: 4GiB                              # physical memory [bytes]\n"
        "  theta: 0.99                               # exponent\n"
        "  seed: 1                                   # anything that 64 bits hold\n"
        "  ports: []                                 # a set that may be empty\n"
        "  trace: \"a \\\"b\\\" \\\\c\"                      # file name\n");
    free(c.text);
}

static void randomize(struct sample *p, struct hv_rng *rng)
{
    static const char *const texts[] = { "", "x", "a: b # c", "\"'\\", " leading", "true", "\xc3\xa9\xe2\x82\xac",
                                         "- [x, {", "\xf0\x9f\x98\x80" };
    p->l1.entries = rng_below(rng, 1048577);
    p->l1.ways = rng_below(rng, 2) == 0 ? PARAM_WAYS_FULL : 1 + rng_below(rng, 1024);
    p->l1.sizes = 1 + (uint32_t)rng_below(rng, 7);
    p->core.model = (uint32_t)rng_below(rng, 2);
    p->core.tagged = rng_below(rng, 2) != 0;
    p->core.memory = 4096 + rng_below(rng, UINT64_C(1) << rng_below(rng, 40));
    p->core.theta = rng_unit(rng) * 16 - 8;
    p->core.seed = rng_next(rng);
    p->core.ports = (uint32_t)rng_below(rng, 8);
    memset(p->core.trace, 0, sizeof(p->core.trace));
    strcpy(p->core.trace, texts[rng_below(rng, HV_ARRAY_LEN(texts))]);
}

static void yaml_reads_back_identically(void **state)
{
    (void)state;
    struct hv_rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 500; i++) {
        struct sample p, again;
        struct capture c;
        struct conf_doc doc;
        struct hv_err err = { "" };
        defaults(&p);
        defaults(&again);
        randomize(&p, &rng);
        capture_begin(&c);
        params_write_yaml(&sample_schema, &p, c.out);
        capture_end(&c);
        assert_true(conf_read_buffer(&doc, "f.yaml", c.text, c.size, &err));
        assert_true(params_load_map(&sample_schema, &again, &doc, &doc.root, &err));
        assert_memory_equal(&p, &again, sizeof(p));
        conf_fini(&doc);
        free(c.text);
    }
}

static void json_is_flat_and_typed(void **state)
{
    (void)state;
    struct sample p;
    defaults(&p);
    p.l1.ways = PARAM_WAYS_FULL;
    json_t *json = params_to_json(&sample_schema, &p);
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(NUMBER_DIGITS_DATA));
    assert_string_equal(text,
                        "{\"tlb.l1.entries\":64,\"tlb.l1.ways\":\"full\",\"tlb.l1.sizes\":[\"4k\"],"
                        "\"core.model\":\"inorder\",\"core.tagged\":true,\"core.memory\":4294967296,"
                        "\"core.theta\":0.99,\"core.seed\":1,\"core.ports\":[],\"core.trace\":\"\","
                        "\"tlb.l2.entries\":1536,\"tlb.l2.ways\":12,\"tlb.l2.sizes\":[\"4k\",\"2m\"]}");
    free(text);
    json_decref(json);
}

static void the_reference_is_an_aligned_table(void **state)
{
    (void)state;
    struct capture c;
    capture_begin(&c);
    assert_int_equal(params_print_reference(&sample_schema, "tlb.l2*", PRINT_TEXT, c.out), 3);
    assert_string_equal(capture_end(&c),
                        "name            default   range            unit     help\n"
                        "tlb.l2.entries  1536      0 .. 1048576     entries  translations that the structure holds\n"
                        "tlb.l2.ways     12        1 .. 1024, full  ways     associativity\n"
                        "tlb.l2.sizes    [4k, 2m]  4k, 2m, 1g                page sizes that it holds\n");
    free(c.text);
}

static void the_reference_in_json_has_types_and_choices(void **state)
{
    (void)state;
    struct capture c;
    capture_begin(&c);
    assert_int_equal(params_print_reference(&sample_schema, "core.m", PRINT_JSON, c.out), 2);
    json_t *json = json_loads(capture_end(&c), 0, NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "[{\"name\":\"core.model\",\"type\":\"enum\",\"default\":\"inorder\","
                              "\"choices\":[\"inorder\",\"window\"],\"unit\":\"\",\"help\":\"timing model\"},"
                              "{\"name\":\"core.memory\",\"type\":\"size\",\"default\":4294967296,"
                              "\"range\":\"4KiB .. 1TiB\",\"unit\":\"bytes\",\"help\":\"physical memory\"}]");
    free(text);
    json_decref(json);
    free(c.text);
}

static void a_pattern_is_a_glob_or_a_part(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        size_t count;
    } rows[] = { { NULL, 13 }, { "*", 13 }, { "tlb.*", 6 }, { "*.ways", 2 }, { "l2", 3 }, { "core.t?eta", 1 },
                 { "nothing", 0 } };
    for (size_t i = 0; i < HV_ARRAY_LEN(rows); i++) {
        struct capture c;
        capture_begin(&c);
        assert_int_equal(params_print_reference(&sample_schema, rows[i].pattern, PRINT_TEXT, c.out), rows[i].count);
        capture_end(&c);
        free(c.text);
    }
}

GTEST_MAIN("ParamPrint", cmocka_unit_test(yaml_is_nested_and_commented), cmocka_unit_test(yaml_reads_back_identically),
           cmocka_unit_test(json_is_flat_and_typed), cmocka_unit_test(the_reference_is_an_aligned_table),
           cmocka_unit_test(the_reference_in_json_has_types_and_choices),
           cmocka_unit_test(a_pattern_is_a_glob_or_a_part))
