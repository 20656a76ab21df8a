// SPDX-License-Identifier: GPL-2.0-only
/* siphash.h against the authors' vectors and against libsodium. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <sodium.h>
#include "xraft/siphash.h"

#define WORDS_MAX 256

static uint64_t hash_words(const struct xr_sip_key *key, const uint64_t *words, uint32_t n)
{
	struct xr_sip sip;

	xr_sip_init(&sip, key);
	for (uint32_t i = 0; i < n; i++)
		xr_sip_word(&sip, words[i]);
	return xr_sip_final(&sip, n * 8);
}

static uint64_t hash_sodium(const struct xr_sip_key *key, const uint64_t *words, uint32_t n)
{
	uint64_t out;

	_Static_assert(sizeof(*key) == crypto_shorthash_KEYBYTES, "the key is sixteen bytes");
	crypto_shorthash((unsigned char *)&out, (const unsigned char *)words, n * 8ull,
			 (const unsigned char *)key);
	return out;
}

/*
 * Aumasson and Bernstein 2012, the vectors published with their reference code: the key is
 * 00 01 ... 0f, the input of n bytes is 00 01 ... n-1. Ours hash whole words, so n is 0, 8 ... 56.
 */
static void authors_vectors(void **state)
{
	static const uint64_t want[] = {
		0x726fdb47dd0e0e31, 0x93f5f5799a932462, 0x3f2acc7f57c29bdb, 0xb8ad50c6f649af94,
		0x7127512f72f27cce, 0x0e3ea96b5304a7d0, 0xe612a3cb9ecba951, 0xb78dbfaf3a8d83bd,
	};
	struct xr_sip_key key;
	unsigned char input[64];
	uint64_t words[8];

	(void)state;
	for (int i = 0; i < 16; i++)
		((unsigned char *)&key)[i] = (unsigned char)i;
	for (int i = 0; i < 64; i++)
		input[i] = (unsigned char)i;
	memcpy(words, input, sizeof(words));
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(hash_words(&key, words, n), want[n]);
}

/* Every length that a datagram can have, and beyond, with random keys and inputs. */
static void random_inputs_as_libsodium(void **state)
{
	uint64_t words[WORDS_MAX];
	struct xr_sip_key key;

	(void)state;
	for (int round = 0; round < 20; round++) {
		for (uint32_t n = 0; n <= WORDS_MAX; n++) {
			randombytes_buf(&key, sizeof(key));
			randombytes_buf(words, n * 8);
			assert_int_equal(hash_words(&key, words, n), hash_sodium(&key, words, n));
		}
	}
}

/* A bit of the key or of the input changes the hash: nothing is left out. */
static void every_bit_counts(void **state)
{
	struct xr_sip_key key;
	uint64_t words[6], plain;

	(void)state;
	randombytes_buf(&key, sizeof(key));
	randombytes_buf(words, sizeof(words));
	plain = hash_words(&key, words, 6);
	for (int bit = 0; bit < 6 * 64; bit++) {
		words[bit / 64] ^= 1ull << (bit % 64);
		assert_true(hash_words(&key, words, 6) != plain);
		words[bit / 64] ^= 1ull << (bit % 64);
	}
	for (int bit = 0; bit < 128; bit++) {
		__u64 *half = bit < 64 ? &key.k0 : &key.k1;

		*half ^= 1ull << (bit % 64);
		assert_true(hash_words(&key, words, 6) != plain);
		*half ^= 1ull << (bit % 64);
	}
	assert_int_equal(hash_words(&key, words, 6), plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authors_vectors),
		cmocka_unit_test(random_inputs_as_libsodium),
		cmocka_unit_test(every_bit_counts),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
