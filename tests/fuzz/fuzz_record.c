/* SPDX-License-Identifier: MIT
 * fuzz_record: any bytes as a record of the journal, and as a record in memory.
 * What is read is what would be written, byte for byte: else two texts could
 * stand for one decision, and the chain would not tell. */
#include "fuzz.h"

#include <hedge/hedge.h>

static void check_bytes(const uint8_t *bytes, size_t n)
{
    hedge_record record = HEDGE_INIT(hedge_record);
    uint8_t again[HEDGE_RECORD_MAX];
    size_t length = 0;
    const int32_t code = hedge_record_decode(bytes, n, &record);

    REQUIRE(code == HEDGE_OK || code == HEDGE_E_RECORD);
    if (code != HEDGE_OK) return;
    REQUIRE(n <= HEDGE_RECORD_MAX);
    REQUIRE(hedge_record_encode(&record, again, sizeof(again), &length) == HEDGE_OK);
    REQUIRE(length == n && memcmp(again, bytes, n) == 0);
    /* One byte less of room is too little, and is said to be. */
    REQUIRE(hedge_record_encode(&record, again, n - 1, &length) == HEDGE_E_TOO_LARGE);
}

static void check_struct(const uint8_t *bytes, size_t n)
{
    hedge_record record, back = HEDGE_INIT(hedge_record);
    uint8_t first[HEDGE_RECORD_MAX], second[HEDGE_RECORD_MAX];
    fuzz_input in = {bytes, n};
    size_t length = 0, again = 0;
    int32_t code;

    fuzz_take(&in, &record, sizeof(record));
    record.struct_size = (uint32_t)sizeof(record);
    code = hedge_record_encode(&record, first, sizeof(first), &length);
    REQUIRE(code == HEDGE_OK || code == HEDGE_E_RECORD);
    if (code != HEDGE_OK) return;
    REQUIRE(hedge_record_decode(first, length, &back) == HEDGE_OK);
    REQUIRE(hedge_record_encode(&back, second, sizeof(second), &again) == HEDGE_OK);
    REQUIRE(again == length && memcmp(first, second, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t hash[HEDGE_HASH_SIZE];
    static const uint8_t none[HEDGE_HASH_SIZE];

    check_bytes(bytes, n);
    if (n > HEDGE_HASH_SIZE) check_struct(bytes, n);
    REQUIRE(hedge_record_chain(none, bytes, n, hash) == HEDGE_OK);
    return 0;
}
