import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dispositionOf } from '../../../node/bucket/disposition.ts';

const of = (fileName: string): string => dispositionOf({ disposition: 'inline', fileName });

describe('the Content-Disposition of a link', () => {
  test.each([
    ['internal-1121-1122-20251027-080010-1.2.wav', 'filename="internal-1121-1122-20251027-080010-1.2.wav"'],
    ['ligação.wav', `filename="ligacao.wav"; filename*=UTF-8''liga%C3%A7%C3%A3o.wav`],
    ['a"b\\c/d.wav', `filename="a_b_c_d.wav"; filename*=UTF-8''a%22b_c_d.wav`],
    ["it's (1)*.wav", `filename="it_s _1__.wav"; filename*=UTF-8''it%27s%20%281%29%2A.wav`],
    ['100%41.wav', `filename="100_41.wav"; filename*=UTF-8''100%2541.wav`],
    ['通話🎧.mp3', `filename="___.mp3"; filename*=UTF-8''%E9%80%9A%E8%A9%B1%F0%9F%8E%A7.mp3`],
    ['a\r\nSet-Cookie: x.wav', `filename="a__Set-Cookie_ x.wav"; filename*=UTF-8''a__Set-Cookie%3A%20x.wav`],
    ['\u202Evaw.exe', 'filename="_vaw.exe"'],
    ['half\uD800.wav', `filename="half_.wav"; filename*=UTF-8''half%EF%BF%BD.wav`],
  ])('of %j', (name, expected) => {
    expect(of(name)).toBe(`inline; ${expected}`);
  });

  test('is one line of ASCII whatever the name, and its extended form is that name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (name) => {
        const value = of(name);
        const parts =
          /^inline; filename="([A-Za-z0-9._ -]*)"(?:; filename\*=UTF-8''([A-Za-z0-9.%_~!-]*))?$/.exec(value);
        const [, plain, extended] = parts ?? [];
        expect(plain).toBeDefined();
        const saved = extended === undefined ? plain : decodeURIComponent(extended);
        expect(saved).toHaveLength(name.length);
        for (const [index, character] of [...name.toWellFormed()].entries())
          expect([character, '_']).toContain([...(saved ?? '')][index]);
      }),
    );
  });
});
