import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { involves, parseRecordingName } from '../../../node/recordings/name.ts';

describe('the name of a recording', () => {
  test('tells caller, called, time and format', () => {
    expect(
      parseRecordingName('internal-1121-5511999990000-20251027-080102-1761562862.41.wav', 'origin-dest'),
    ).toEqual({
      origin: '1121',
      destination: '5511999990000',
      startedAt: '2025-10-27T08:01:02',
      format: 'wav',
      system: null,
    });
  });

  test('has the called number first where the setting says so', () => {
    const parsed = parseRecordingName(
      'external-1121-5511999990000-20251027-080102-1761562862.41.wav',
      'dest-origin',
    );
    expect(parsed).toMatchObject({ origin: '5511999990000', destination: '1121' });
  });

  test.each(['internal', 'external', 'exten', 'out', 'in', 'q', 'rg', 'force', 'ondemand'])(
    'may begin with %s, as FreePBX writes it',
    (type) => {
      expect(
        parseRecordingName(`${type}-600-1121-20251027-080102-1761562862.41.wav`, 'dest-origin'),
      ).toMatchObject({
        origin: '1121',
        destination: '600',
      });
    },
  );

  test.each([
    ['a.wav', 'wav'],
    ['a.WAV', 'wav'],
    ['a.mp3', 'mp3'],
    ['a.gsm', 'gsm'],
    ['a.wav49', 'wav49'],
  ])('ends in an audio format: %s is %s', (end, format) => {
    expect(parseRecordingName(`internal-1-2-20251027-080102-${end}`, 'origin-dest')?.format).toBe(format);
  });

  test('may hold dashes and another stamp in its unique part, and names the system there', () => {
    const name = 'internal-1121-2000-20251027-080102-pbx-sul-1761562862.41.wav';
    expect(parseRecordingName(name, 'origin-dest')).toMatchObject({ destination: '2000', system: 'pbx-sul' });
    const stamped = 'internal-12345678-123456-20251027-080102-20240101-000000-x.wav';
    expect(parseRecordingName(stamped, 'origin-dest')).toMatchObject({
      origin: '12345678',
      destination: '123456',
      startedAt: '2025-10-27T08:01:02',
      system: null,
    });
  });

  test('may leave a number out or write it in letters', () => {
    expect(parseRecordingName('in-1121--20251027-080102-1.2.wav', 'dest-origin')).toMatchObject({
      origin: '',
    });
    expect(parseRecordingName('in-1121-anonymous-20251027-080102-1.2.wav', 'dest-origin')).toMatchObject({
      origin: 'anonymous',
    });
  });

  test.each([
    ['a date that does not exist', 'internal-1-2-20250229-080102-1.2.wav'],
    ['a month that does not exist', 'internal-1-2-20251327-080102-1.2.wav'],
    ['an hour that does not exist', 'internal-1-2-20251027-240000-1.2.wav'],
    ['a leap second', 'internal-1-2-20251027-235960-1.2.wav'],
    ['no unique part', 'internal-1-2-20251027-080102.wav'],
    ['a format that is no audio', 'internal-1-2-20251027-080102-1.2.txt'],
    ['a file being written under another name', 'internal-1-2-20251027-080102-1.2.wav.part'],
    ['too few fields', 'internal-1-20251027-080102-1.2.wav'],
    ['a directory before it', 'x/internal-1-2-20251027-080102-1.2.wav'],
    ['nothing', ''],
  ])('is none with %s', (_what, name) => {
    expect(parseRecordingName(name, 'origin-dest')).toBeNull();
  });

  test('the hour that daylight saving doubled is read as it stands', () => {
    expect(parseRecordingName('internal-1-2-20190216-233000-1.2.wav', 'origin-dest')?.startedAt).toBe(
      '2019-02-16T23:30:00',
    );
  });

  const field = fc.stringMatching(/^[0-9a-z+*#]{0,15}$/);
  const moment = fc
    .date({ min: new Date('1990-01-01'), max: new Date('2099-12-31'), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 19));

  test('property: what is written in the grammar is read back, in either order', () => {
    const unique = fc.stringMatching(/^[0-9a-z.-]{1,30}$/);
    fc.assert(
      fc.property(
        field,
        field,
        moment,
        unique,
        fc.boolean(),
        (first, second, startedAt, tail, callerFirst) => {
          const stamp = startedAt.replaceAll(/[-:]/g, '').replace('T', '-');
          const name = `exten-${first}-${second}-${stamp}-${tail}.Wav`;
          const parsed = parseRecordingName(name, callerFirst ? 'origin-dest' : 'dest-origin');
          expect(parsed).toMatchObject({
            origin: callerFirst ? first : second,
            destination: callerFirst ? second : first,
            startedAt,
            format: 'wav',
          });
        },
      ),
    );
  });

  test('property: no name makes it throw, and every time it gives is a real one', () => {
    const odd = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 300 }),
      fc
        .tuple(field, fc.stringMatching(/^\d{8}-\d{6}$/))
        .map(([number, stamp]) => `internal-${number}-1-${stamp}-x.wav`),
    );
    fc.assert(
      fc.property(odd, (name) => {
        const parsed = parseRecordingName(name, 'origin-dest');
        if (parsed !== null)
          expect(Temporal.PlainDateTime.from(parsed.startedAt).toString()).toBe(parsed.startedAt);
      }),
    );
  });

  test('involves an extension that is equal to one of its numbers', () => {
    const parsed = parseRecordingName('internal-1121-2000-20251027-080102-1.2.wav', 'origin-dest')!;
    expect(involves(parsed, new Set(['2000', '3000']))).toBe(true);
    expect(involves(parsed, new Set(['112', '11210']))).toBe(false);
  });
});
