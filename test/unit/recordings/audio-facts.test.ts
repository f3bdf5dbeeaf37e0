import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { audioFactsOf, BEGINNING_BYTES } from '../../../node/recordings/audio-facts.ts';
import { gsm, wav } from '../../support/audio.ts';

function factsOf(called: string, content: Buffer) {
  return audioFactsOf(called, content.length, content.subarray(0, BEGINNING_BYTES));
}

interface Chunk {
  readonly id: string;
  readonly content: Buffer;
  /** As told, where that is not its length. */
  readonly length?: number;
}

function riff(chunks: readonly Chunk[]): Buffer {
  const parts = chunks.map(({ id, content, length = content.length }) => {
    const head = Buffer.alloc(8);
    head.write(id, 0);
    head.writeUInt32LE(length, 4);
    return Buffer.concat([head, content, Buffer.alloc(content.length % 2)]);
  });
  const body = Buffer.concat([Buffer.from('WAVE'), ...parts]);
  const head = Buffer.from('RIFF....');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

interface Format {
  readonly codec: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bytesPerSecond?: number;
  readonly bits?: number;
  /** After the sixteen bytes that all have. */
  readonly more?: Buffer;
}

function format({ codec, channels = 1, rate = 8000, bytesPerSecond = 0, bits = 0, more }: Format): Chunk {
  const content = Buffer.alloc(16);
  content.writeUInt16LE(codec, 0);
  content.writeUInt16LE(channels, 2);
  content.writeUInt32LE(rate, 4);
  content.writeUInt32LE(bytesPerSecond, 8);
  content.writeUInt16LE(bits, 14);
  return { id: 'fmt ', content: Buffer.concat([content, more ?? Buffer.alloc(0)]) };
}

const data = (bytes: number, length = bytes): Chunk => ({ id: 'data', content: Buffer.alloc(bytes), length });

describe('a WAV', () => {
  test.each([
    ['samples of 16 bits', { codec: 1, bits: 16 }, 16_000, true],
    ['samples of 8 bits in stereo', { codec: 1, bits: 8, channels: 2 }, 16_000, true],
    ['samples of 24 bits', { codec: 1, bits: 24, rate: 16_000 }, 48_000, true],
    ['floating point', { codec: 3, bits: 32 }, 32_000, true],
    ['A-law', { codec: 6, bits: 8 }, 8_000, true],
    ['µ-law', { codec: 7, bits: 8 }, 8_000, true],
    ['GSM, which Asterisk calls wav49', { codec: 0x31, bytesPerSecond: 1625 }, 1_625, false],
    ['ADPCM', { codec: 0x11, bits: 4, bytesPerSecond: 4_000 }, 4_000, false],
    ['MP3', { codec: 0x55, bytesPerSecond: 2_000 }, 2_000, false],
  ] as const)(
    'of %s is as long as its samples, and played where browsers can',
    (_, said, bytes, playable) => {
      expect(factsOf('wav', riff([format(said), data(bytes)]))).toEqual({ seconds: 1, playable });
    },
  );

  test('that is extensible tells its codec further on', () => {
    const more = Buffer.from('16000010000000000700', 'hex'); // 22 bytes follow; 16 bits; the speakers; µ-law
    const content = riff([format({ codec: 0xfffe, bits: 8, more }), data(4_000)]);
    expect(factsOf('wav', content)).toEqual({ seconds: 0.5, playable: true });
  });

  test('may have other chunks before its samples and after them', () => {
    const list: Chunk = { id: 'LIST', content: Buffer.from('INFOISFTabcd7') };
    const content = riff([list, format({ codec: 1, bits: 16 }), list, data(16_000), list]);
    expect(factsOf('wav', content)).toEqual({ seconds: 1, playable: true });
  });

  test.each([
    ['is still being written', 0],
    ['was cut short', 160_000],
    ['was streamed', 0xffffffff],
  ])('that %s is as long as what there is of it', (_, told) => {
    const content = riff([format({ codec: 1, bits: 16 }), data(16_000, told)]);
    expect(factsOf('wav', content)).toEqual({ seconds: 1, playable: true });
  });

  test('whose samples begin beyond its beginning is of unknown length, and played', () => {
    const list: Chunk = { id: 'LIST', content: Buffer.alloc(BEGINNING_BYTES) };
    const content = riff([format({ codec: 1, bits: 16 }), list, data(16_000)]);
    expect(factsOf('wav', content)).toEqual({ seconds: null, playable: true });
  });

  test.each([
    ['no header', Buffer.alloc(1000)],
    ['half a header', wav(1000).subarray(0, 30)],
    ['no format', riff([data(16_000)])],
    ['no channels', riff([format({ codec: 1, bits: 16, channels: 0 }), data(16_000)])],
    ['a rate of nothing', riff([format({ codec: 1, bits: 16, rate: 0 }), data(16_000)])],
  ])('with %s says nothing, and no browser plays it', (_, content) => {
    expect(factsOf('wav', content)).toEqual({ seconds: null, playable: false });
  });

  test('is known by its content, whatever it is called', () => {
    const content = riff([format({ codec: 0x31 }), data(650)]);
    for (const name of ['wav', 'wav49', 'mp3', 'gsm'])
      expect(factsOf(name, content)).toEqual({ seconds: 0.4, playable: false });
  });
});

/** A frame's header: MPEG 1 or 2, layer III. */
function frame({ version = 1, index = 5, rate = 0, mono = true } = {}): Buffer {
  const head = Buffer.alloc(4);
  const bits =
    (0x7ff << 21) | ((version === 1 ? 3 : 2) << 19) | (1 << 17) | (1 << 16) | (index << 12) | (rate << 10);
  head.writeInt32BE(bits | (mono ? 3 << 6 : 0));
  return head;
}

function frames(head: Buffer, sizeBytes: number, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => Buffer.concat([head], sizeBytes)));
}

describe('an MP3', () => {
  /** 64 kbit/s at 32 kHz: 288 bytes and 36 ms a frame. */
  const SIXTY_FOUR = { head: frame({ index: 5, rate: 2 }), bytes: 288 };

  test('of one bitrate is as long as its bytes take', () => {
    const content = frames(SIXTY_FOUR.head, SIXTY_FOUR.bytes, 100);
    expect(factsOf('mp3', content)).toEqual({ seconds: 3.6, playable: true });
  });

  test('of MPEG 2 has half as many samples in a frame', () => {
    // 64 kbit/s at 16 kHz: 288 bytes and 36 ms.
    const content = frames(frame({ version: 2, index: 8, rate: 2 }), 288, 100);
    expect(factsOf('mp3', content)).toEqual({ seconds: 3.6, playable: true });
  });

  test('may have a tag before its sound, which does not count', () => {
    const tag = Buffer.concat([Buffer.from('ID3\u0004\0\0\0\0\u0001\u0010', 'latin1')], 10 + 144);
    const content = Buffer.concat([tag, frames(SIXTY_FOUR.head, SIXTY_FOUR.bytes, 100)]);
    expect(factsOf('mp3', content).seconds).toBe(3.6);
  });

  test.each(['Xing', 'Info', 'VBRI'])('tells the number of its frames by %s, whatever its bitrate', (tag) => {
    const content = frames(SIXTY_FOUR.head, SIXTY_FOUR.bytes, 100);
    const at = tag === 'VBRI' ? 36 : 4 + 17;
    content.write(tag, at, 'latin1');
    if (tag === 'VBRI') content.writeUInt32BE(1000, at + 14);
    else {
      content.writeUInt32BE(1, at + 4);
      content.writeUInt32BE(1000, at + 8);
    }
    expect(factsOf('mp3', content)).toEqual({ seconds: 36, playable: true });
  });

  test('that tells more frames than it has room for tells nothing', () => {
    const content = frames(SIXTY_FOUR.head, SIXTY_FOUR.bytes, 10);
    content.write('Xing', 21, 'latin1');
    content.writeUInt32BE(1, 25);
    content.writeUInt32BE(0xffffffff, 29);
    expect(factsOf('mp3', content)).toEqual({ seconds: null, playable: true });
  });

  test.each([
    ['that there are none yet', 1, 0],
    ['nothing of how many', 0, 1000],
  ])('of changing bitrates whose first frame tells %s is of unknown length', (_, flags, told) => {
    const content = frames(SIXTY_FOUR.head, SIXTY_FOUR.bytes, 100);
    content.write('Xing', 21, 'latin1');
    content.writeUInt32BE(flags, 25);
    content.writeUInt32BE(told, 29);
    expect(factsOf('mp3', content)).toEqual({ seconds: null, playable: true });
    // `Info` says that all frames are alike.
    content.write('Info', 21, 'latin1');
    expect(factsOf('mp3', content)).toEqual({ seconds: 3.6, playable: true });
  });

  test('of changing bitrates that does not tell its frames is of unknown length', () => {
    const other = { head: frame({ index: 9, rate: 2 }), bytes: 576 };
    const content = Buffer.concat([frames(SIXTY_FOUR.head, 288, 5), frames(other.head, other.bytes, 50)]);
    expect(factsOf('mp3', content)).toEqual({ seconds: null, playable: true });
  });

  test('is none where nothing of it looks like a frame', () => {
    expect(factsOf('mp3', Buffer.alloc(5000, 0x41))).toEqual({ seconds: null, playable: true });
    expect(factsOf('mp3', Buffer.alloc(0))).toEqual({ seconds: null, playable: true });
  });
});

describe('other recordings', () => {
  test('GSM is as long as its frames, where it is GSM', () => {
    expect(factsOf('gsm', gsm(500))).toEqual({ seconds: 10, playable: false });
    expect(factsOf('gsm', Buffer.alloc(330, 0x41))).toEqual({ seconds: null, playable: false });
  });

  test.each([
    ['ulaw', 8_000],
    ['al', 8_000],
    ['g722', 8_000],
    ['g729', 1_000],
    ['sln', 16_000],
    ['sln16', 32_000],
  ])('%s without a header is told by its size, and not played', (name, bytes) => {
    expect(factsOf(name, Buffer.alloc(bytes * 2))).toEqual({ seconds: 2, playable: false });
  });

  test('FLAC tells its samples and its rate', () => {
    const content = Buffer.alloc(100);
    content.write('fLaC', 0);
    content.writeUInt32BE((8_000 << 12) >>> 0, 18);
    content.writeUInt32BE(20_000, 22);
    expect(factsOf('flac', content)).toEqual({ seconds: 2.5, playable: true });
    content.writeUInt32BE(0, 22);
    expect(factsOf('flac', content)).toEqual({ seconds: null, playable: true });
  });

  test.each([
    ['ogg', true],
    ['opus', true],
    ['m4a', true],
    ['xyz', false],
    ['constructor', false],
  ])('%s is of unknown length', (name, playable) => {
    expect(factsOf(name, Buffer.alloc(5000, 1))).toEqual({ seconds: null, playable });
  });
});

test('property: whatever a beginning holds, a length is none, or one that its size allows', () => {
  const starts = ['', 'RIFF....WAVEfmt ', 'RIFF', 'fLaC', 'ID3', 'OggS'].map((text) =>
    Buffer.from(text, 'latin1'),
  );
  const starting = fc.constantFrom(...starts, frame(), wav(100), gsm(2));
  const content = fc.tuple(starting, fc.uint8Array({ maxLength: 300 }));
  const name = fc.constantFrom('wav', 'mp3', 'gsm', 'flac', 'ulaw', 'g729', 'ogg');
  fc.assert(
    fc.property(name, content, fc.nat(10_000_000), (called, [start, more], beyond) => {
      const bytes = Buffer.concat([start, more]);
      const { seconds } = audioFactsOf(called, bytes.length + beyond, bytes);
      if (seconds === null) return;
      expect(seconds).toBeGreaterThanOrEqual(0);
      // FLAC alone may be silent for as long as it likes.
      if (bytes.toString('latin1', 0, 4) !== 'fLaC')
        expect(seconds).toBeLessThanOrEqual((bytes.length + beyond) / 20);
    }),
    { numRuns: 500 },
  );
});
