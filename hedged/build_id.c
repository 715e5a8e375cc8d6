/* SPDX-License-Identifier: MIT
 * build_id: which very code of libhedge.so was loaded. */
#include "build_id.h"

#include <hedge/hedge.h>

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* True if the object holds the library's code. */
static bool is_library(const struct dl_phdr_info *object)
{
    const uintptr_t code = (uintptr_t)hedge_version;

    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        const uintptr_t from = object->dlpi_addr + segment->p_vaddr;

        if (segment->p_type == PT_LOAD && code >= from && code - from < segment->p_memsz)
            return true;
    }
    return false;
}

static void write_hex(const uint8_t *bytes, size_t n, char id[BUILD_ID_MAX])
{
    for (size_t i = 0; i < n && 2 * i + 2 < BUILD_ID_MAX; i++)
        snprintf(&id[2 * i], 3, "%02x", bytes[i]);
}

static size_t padded(size_t n)
{
    return (n + 3) / 4 * 4;
}

/* Notes are a header, a name and a content each, made up to fours. */
static bool read_notes(const char *at, size_t n, char id[BUILD_ID_MAX])
{
    while (n >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;

        memcpy(&note, at, sizeof(note));
        const size_t name = sizeof(note), content = name + padded(note.n_namesz);
        const size_t size = content + padded(note.n_descsz);

        if (size > n) return false;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(at + name, "GNU", 4) == 0) {
            write_hex((const uint8_t *)at + content, note.n_descsz, id);
            return id[0] != '\0';
        }
        at += size;
        n -= size;
    }
    return false;
}

static int look_at(struct dl_phdr_info *object, size_t size, void *id)
{
    (void)size;
    if (!is_library(object)) return 0;
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];

        if (segment->p_type == PT_NOTE &&
            read_notes((const char *)(object->dlpi_addr + segment->p_vaddr), segment->p_memsz, id))
            break;
    }
    return 1;
}

bool build_id_of_library(char id[BUILD_ID_MAX])
{
    id[0] = '\0';
    dl_iterate_phdr(look_at, id);
    return id[0] != '\0';
}
