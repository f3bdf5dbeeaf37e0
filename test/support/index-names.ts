import fc from 'fast-check';

/** Names of files as they lie among recordings: proper ones, odd ones, and some that are none of a recording. */
export function indexNames(numbers: readonly string[]): fc.Arbitrary<string> {
  const side = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...numbers) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 's', 'anonymous', '12', '123456789', '11912345678', '+551121', 'ünï'),
    },
  );
  const stamp = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom('20251027-080000', '20251027-080001', '20240229-235959', '19991231-000000'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('20250229-080000', '20251027-240000', '20251027-086000', '2025102-080000'),
    },
  );
  const unique = fc.oneof(
    fc.constantFrom(
      '1761562800.1',
      'pbx-1-1761562800.2',
      '-',
      'a b',
      '20251028-090000-1.1',
      'ação 録音 🎧',
      '.',
    ),
    fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
  );
  const format = fc.constantFrom('wav', 'WAV', 'mp3', 'gsm', 'txt', 'wav.tmp', '');
  const type = fc.constantFrom('internal', 'external', 'out', 'Internal', 'custom', 'q', '0', 'x-y', '');
  return fc
    .tuple(type, side, side, stamp, unique, format)
    .map(([kind, first, second, at, rest, ending]) => `${kind}-${first}-${second}-${at}-${rest}.${ending}`);
}
