/* SPDX-License-Identifier: MIT
 * yaml_tree: one YAML document as a tree of nodes that know their lines. */
#include "yaml_tree.h"

#include "error.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define NODES_MAX 200000u
#define CHUNK_SIZE 65536u

/* Nodes and texts live in chunks that are freed together. */
typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) unsigned char bytes[];
} chunk;

struct yaml_tree {
    chunk *chunks;
    yaml_node *root;
};

typedef struct reader {
    yaml_parser_t parser;
    yaml_tree *tree;
    const char *file;
    hedge_error *error;
    yaml_node *open[HEDGE_POLICY_DEPTH_MAX]; /* collections not closed yet */
    size_t depth;
    const char *key; /* read, its value not yet */
    int32_t key_line;
    size_t nodes;
} reader;

static void *tree_alloc(yaml_tree *tree, size_t n)
{
    const size_t need = (n + 15) & ~(size_t)15;
    chunk *c = tree->chunks;
    void *at;

    if (c == NULL || c->size - c->used < need) {
        const size_t size = need > CHUNK_SIZE ? need : CHUNK_SIZE;

        c = malloc(sizeof(*c) + size);
        if (c == NULL) return NULL;
        *c = (chunk){.next = tree->chunks, .size = size};
        tree->chunks = c;
    }
    at = c->bytes + c->used;
    c->used += need;
    return at;
}

static int32_t fail(const reader *r, int32_t code, int32_t line, const char *what)
{
    const error_place place = {.file = r->file, .line = line, .index = -1};

    return error_set(r->error, code, place, "%s", what);
}

static int32_t out_of_memory(const reader *r)
{
    return fail(r, HEDGE_E_NOMEM, 0, "out of memory");
}

static const char *copy_text(reader *r, const yaml_event_t *event)
{
    const size_t n = event->data.scalar.length;
    char *text = tree_alloc(r->tree, n + 1);

    if (text == NULL) return NULL;
    memcpy(text, event->data.scalar.value, n);
    text[n] = '\0';
    return text;
}

/* Hangs a node below the innermost open collection, or makes it the root. */
static void attach(reader *r, yaml_node *node)
{
    yaml_node *parent;

    node->key = r->key;
    node->key_line = r->key_line;
    r->key = NULL;
    if (r->depth == 0) {
        r->tree->root = node;
        return;
    }
    parent = r->open[r->depth - 1];
    if (parent->last != NULL)
        parent->last->next = node;
    else
        parent->child = node;
    parent->last = node;
    parent->count++;
}

static int32_t add_node(reader *r, yaml_kind kind, int32_t line, yaml_node **out)
{
    yaml_node *node = NULL;

    if (++r->nodes > NODES_MAX)
        return fail(r, HEDGE_E_TOO_LARGE, line, "more than 200,000 values in one file");
    node = tree_alloc(r->tree, sizeof(*node));
    if (node == NULL) return out_of_memory(r);
    *node = (yaml_node){.kind = kind, .line = line};
    attach(r, node);
    *out = node;
    return HEDGE_OK;
}

static bool wants_key(const reader *r)
{
    return r->depth > 0 && r->open[r->depth - 1]->kind == YAML_KIND_MAP && r->key == NULL;
}

static int32_t on_key(reader *r, const yaml_event_t *event, int32_t line)
{
    const yaml_node *map = r->open[r->depth - 1];

    if (map->count >= 2 * HEDGE_ASSETS_MAX)
        return fail(r, HEDGE_E_TOO_LARGE, line, "more than 2,048 members in one mapping");
    r->key = copy_text(r, event);
    r->key_line = line;
    if (r->key == NULL) return out_of_memory(r);
    if (yaml_node_get(map, r->key) != NULL) {
        const error_place place = {.file = r->file, .field = r->key, .line = line, .index = -1};

        return error_set(r->error, HEDGE_E_POLICY, place, "the key '%s' stands here twice", r->key);
    }
    return HEDGE_OK;
}

static int32_t on_scalar(reader *r, const yaml_event_t *event, int32_t line)
{
    yaml_node *node = NULL;
    int32_t code;

    if (event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL)
        return fail(r, HEDGE_E_POLICY, line, "anchors and tags are not allowed in a policy");
    if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
        return fail(r, HEDGE_E_SYNTAX, line, "a text with a NUL character");
    if (wants_key(r)) return on_key(r, event, line);
    code = add_node(r, YAML_KIND_SCALAR, line, &node);
    if (code != HEDGE_OK) return code;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->text = copy_text(r, event);
    return node->text != NULL ? HEDGE_OK : out_of_memory(r);
}

static int32_t on_open(reader *r, yaml_kind kind, const yaml_char_t *anchor, const yaml_char_t *tag,
                       int32_t line)
{
    yaml_node *node = NULL;
    int32_t code;

    if (anchor != NULL || tag != NULL)
        return fail(r, HEDGE_E_POLICY, line, "anchors and tags are not allowed in a policy");
    if (wants_key(r)) return fail(r, HEDGE_E_POLICY, line, "a key must be a plain word");
    if (r->depth == HEDGE_POLICY_DEPTH_MAX)
        return fail(r, HEDGE_E_TOO_LARGE, line, "nested deeper than 16 levels");
    code = add_node(r, kind, line, &node);
    if (code == HEDGE_OK) r->open[r->depth++] = node;
    return code;
}

static int32_t on_event(reader *r, const yaml_event_t *event)
{
    const int32_t line = (int32_t)event->start_mark.line + 1;

    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (r->tree->root != NULL)
            return fail(r, HEDGE_E_POLICY, line, "a second document; a policy is one");
        return HEDGE_OK;
    case YAML_SCALAR_EVENT:
        return on_scalar(r, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return on_open(r, YAML_KIND_LIST, event->data.sequence_start.anchor,
                       event->data.sequence_start.tag, line);
    case YAML_MAPPING_START_EVENT:
        return on_open(r, YAML_KIND_MAP, event->data.mapping_start.anchor,
                       event->data.mapping_start.tag, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return HEDGE_OK;
    case YAML_ALIAS_EVENT:
        return fail(r, HEDGE_E_POLICY, line, "aliases are not allowed in a policy");
    default:
        return HEDGE_OK;
    }
}

static int32_t line_of_offset(const char *text, size_t n, size_t offset)
{
    int32_t line = 1;

    for (size_t i = 0; i < offset && i < n; i++)
        if (text[i] == '\n') line++;
    return line;
}

static int32_t syntax_error(const reader *r, const char *text, size_t n)
{
    const yaml_parser_t *p = &r->parser;
    const char *what = p->problem != NULL ? p->problem : "not YAML";

    if (p->error == YAML_MEMORY_ERROR) return out_of_memory(r);
    if (p->error == YAML_READER_ERROR)
        return fail(r, HEDGE_E_SYNTAX, line_of_offset(text, n, p->problem_offset), what);
    return fail(r, HEDGE_E_SYNTAX, (int32_t)p->problem_mark.line + 1, what);
}

static int32_t read_events(reader *r, const char *text, size_t n)
{
    for (;;) {
        yaml_event_t event;
        yaml_event_type_t type;
        int32_t code;

        if (!yaml_parser_parse(&r->parser, &event)) return syntax_error(r, text, n);
        type = event.type;
        code = on_event(r, &event);
        yaml_event_delete(&event);
        if (code != HEDGE_OK) return code;
        if (type == YAML_STREAM_END_EVENT) break;
    }
    if (r->tree->root == NULL) return fail(r, HEDGE_E_POLICY, 1, "the file is empty");
    return HEDGE_OK;
}

/* libyaml takes a time that grows with the square of the number of %TAG lines,
 * and a policy has no use for any. The line, 0: none. */
static int32_t find_directive(const char *text, size_t n)
{
    int32_t line = 1;

    for (size_t i = 0; i < n; i++) {
        if (text[i] == '%' && (i == 0 || text[i - 1] == '\n' || text[i - 1] == '\r')) return line;
        line += text[i] == '\n';
    }
    return 0;
}

int32_t yaml_tree_read(const char *file, const char *text, size_t n, hedge_error *error,
                       yaml_tree **out)
{
    reader r = {.file = file, .error = error};
    int32_t code;

    *out = NULL;
    if (find_directive(text, n) > 0)
        return fail(&r, HEDGE_E_POLICY, find_directive(text, n),
                    "directives (%) are not allowed in a policy");
    r.tree = calloc(1, sizeof(*r.tree));
    if (r.tree == NULL) return out_of_memory(&r);
    if (!yaml_parser_initialize(&r.parser)) {
        yaml_tree_free(r.tree);
        return out_of_memory(&r);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
    code = read_events(&r, text, n);
    yaml_parser_delete(&r.parser);
    if (code != HEDGE_OK) {
        yaml_tree_free(r.tree);
        return code;
    }
    *out = r.tree;
    return HEDGE_OK;
}

const yaml_node *yaml_tree_root(const yaml_tree *tree)
{
    return tree->root;
}

void yaml_tree_free(yaml_tree *tree)
{
    if (tree == NULL) return;
    while (tree->chunks != NULL) {
        chunk *next = tree->chunks->next;

        free(tree->chunks);
        tree->chunks = next;
    }
    free(tree);
}

const yaml_node *yaml_node_get(const yaml_node *map, const char *key)
{
    for (const yaml_node *child = map->child; child != NULL; child = child->next)
        if (strcmp(child->key, key) == 0) return child;
    return NULL;
}

bool yaml_node_is_null(const yaml_node *node)
{
    return node->kind == YAML_KIND_SCALAR && !node->quoted &&
           (strcmp(node->text, "") == 0 || strcmp(node->text, "~") == 0 ||
            strcmp(node->text, "null") == 0);
}
