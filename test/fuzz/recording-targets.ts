import fc from 'fast-check';
import { audioFactsOf, BEGINNING_BYTES } from '../../node/recordings/audio-facts.ts';
import { same, target, type Target } from './engine.ts';

/** Words of headers: of WAV, MP3, FLAC and GSM, and lengths that nothing has. */
const WORDS = [
  ...[
    'RIFF',
    'WAVE',
    'fmt ',
    'data',
    'fact',
    'LIST',
    'ID3\u0004\0\0',
    'Xing',
    'Info',
    'VBRI',
    'fLaC',
    'OggS',
  ],
  ...[
    '\u00ff\u00fb\u0050\u00c0',
    '\u00ff\u00f3\u0088\u00c4',
    '\u00ff\u00e3\u0018\u00c4',
    '\u00d4',
    '\0\0\0\0',
  ],
  ...['\u0010\0\0\0', '\u0001\0\u0001\0\u0040\u001f\0\0\u0080\u003e\0\0\u0002\0\u0010\0', '\u0031\0\u0001\0'],
  ...['\u00ff\u00ff\u00ff\u00ff', '\u00fe\u00ff', '\u0000\u0000\u0000\u0080'],
].map((text) => Buffer.from(text, 'latin1'));
const MAX_PIECES = 20;
const FORMATS = [
  'wav',
  'wav49',
  'mp3',
  'gsm',
  'flac',
  'ulaw',
  'sln16',
  'g729',
  'ogg',
  'xyz',
  '__proto__',
  '',
];

const word = fc.constantFrom(...WORDS);
const bytes = fc.uint8Array({ maxLength: 12 }).map((some) => Buffer.from(some));
const piece = fc.oneof({ weight: 4, arbitrary: word }, { weight: 1, arbitrary: bytes });
const repeated = fc.tuple(piece, fc.nat(BEGINNING_BYTES)).map(([one, times]) => {
  return Buffer.alloc(Math.min(BEGINNING_BYTES, one.length * times), one.length === 0 ? 0 : one);
});
const content = fc
  .array(fc.oneof({ weight: 9, arbitrary: piece }, { weight: 1, arbitrary: repeated }), {
    maxLength: MAX_PIECES,
  })
  .map((pieces) => Buffer.concat(pieces));

/** A recording's beginning: facts whatever it holds, of its first bytes alone, and a length that can be written down. */
const sound = target(
  'sound of a recording',
  6,
  fc.tuple(fc.constantFrom(...FORMATS), content, fc.nat()),
  ([format, beginning, more]) => {
    const sizeBytes = beginning.length + more;
    const facts = audioFactsOf(format, sizeBytes, beginning);
    const { seconds } = facts;
    if (seconds !== null && !(Number.isFinite(seconds) && seconds >= 0))
      throw new Error(`no length: ${seconds}`);
    same(audioFactsOf(format, sizeBytes, beginning.subarray(0, BEGINNING_BYTES)), facts, 'of its beginning');
  },
);

/** What reads recordings. */
export const RECORDING_TARGETS: readonly Target[] = [sound];
