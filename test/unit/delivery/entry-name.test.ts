import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cell, manifestCsv } from '../../../node/delivery/csv.ts';
import { nameManifest, nameRecordings, nameZip } from '../../../node/delivery/entry-name.ts';
import { isObjectKey } from '../../../node/delivery/object-key.ts';
import type { Recording } from '../../../node/recordings/source.ts';

function recording(changes: Partial<Recording> = {}): Recording {
  return {
    key: '2025/10/27/a.wav',
    origin: '1121',
    destination: '5511999990000',
    startedAt: '2025-10-27T08:01:02',
    sizeBytes: 100,
    format: 'wav',
    ...changes,
  };
}

describe('the name a recording is delivered under', () => {
  test('begins with its time and names both ends', () => {
    expect(nameRecordings([recording()])[0]?.fileName).toBe('20251027-080102_1121_5511999990000.wav');
  });

  test('is numbered where it is taken, in any case of letters', () => {
    const named = nameRecordings([
      recording({ destination: 'Ana' }),
      recording({ destination: 'ana' }),
      recording({ destination: 'ANA', format: 'mp3' }),
      recording({ destination: 'ana' }),
    ]);
    expect(named.map((one) => one.fileName.slice(21))).toEqual([
      'Ana.wav',
      'ana-2.wav',
      'ANA.mp3',
      'ana-3.wav',
    ]);
  });

  test('is found at once where thousands are alike', () => {
    const begun = performance.now();
    const named = nameRecordings(Array.from({ length: 50_000 }, () => recording()));
    expect(named.at(-1)?.fileName).toBe('20251027-080102_1121_5511999990000-50000.wav');
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  test('holds nothing that a path or a header could trip over', () => {
    const named = nameRecordings([recording({ origin: '../"\r\n;x', destination: '', format: 'w/v' })]);
    expect(named[0]?.fileName).toBe('20251027-080102_..x_desconhecido.wv');
  });

  test('property: names are unique, valid as keys, sorted by time, and in the order of the recordings', () => {
    const any = fc.record({
      origin: fc.string({ unit: 'binary' }),
      destination: fc.constantFrom('1', '2', ''),
      startedAt: fc.constantFrom('2025-10-27T08:01:02', '2025-10-27T08:01:03', '2026-01-01T00:00:00'),
      format: fc.constantFrom('wav', 'mp3', ''),
    });
    fc.assert(
      fc.property(fc.array(any), (list) => {
        const recordings = list.map(recording).toSorted((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
        const names = nameRecordings(recordings).map((one) => one.fileName);
        expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
        expect(names.every((name) => isObjectKey('a'.repeat(64), name))).toBe(true);
        const stamps = names.map((name) => name.slice(0, 15));
        expect(stamps).toEqual(stamps.toSorted());
      }),
    );
  });

  test('of the ZIP is after the first recording', () => {
    const recordings = [recording({ startedAt: '2025-10-28T00:00:00' }), recording()];
    expect(nameZip(recordings, { number: 1, of: 1 })).toBe('gravacoes-20251027-0801.zip');
  });

  test('of one of several ZIPs tells which, and so does that of its manifest; they sort in their order', () => {
    const part = { number: 2, of: 3 };
    expect(nameZip([recording()], part)).toBe('gravacoes-20251027-0801-parte-2-de-3.zip');
    expect(nameManifest(part)).toBe('manifesto-parte-2-de-3.csv');
    expect(nameManifest({ number: 1, of: 1 })).toBe('manifesto.csv');
    const names = Array.from({ length: 12 }, (_, index) =>
      nameZip([recording()], { number: index + 1, of: 12 }),
    );
    expect(names).toEqual(names.toSorted());
    expect(names.every((name) => isObjectKey('a'.repeat(64), name))).toBe(true);
  });
});

describe('manifesto.csv', () => {
  const lasting = (seconds: number | null) => ({ seconds, playable: true });

  test('lists what is in the ZIP and what was left out, in words', () => {
    const csv = manifestCsv([
      { recording: recording(), fileName: 'x.wav', sizeBytes: 100, fault: null, audio: lasting(59.6) },
      { recording: recording(), fileName: 'y.wav', sizeBytes: 100, fault: 'growing', audio: lasting(null) },
      {
        recording: recording({ origin: '+55' }),
        fileName: 'z.wav',
        sizeBytes: null,
        fault: 'vanished',
        audio: null,
      },
    ]);
    expect(Buffer.concat(csv).toString()).toBe(
      [
        '\uFEFF"Arquivo";"Data";"Hora";"Origem";"Destino";"Duração";"Tamanho (bytes)";"Situação";"Arquivo original"',
        '"x.wav";"27/10/2025";"08:01:02";"1121";"5511999990000";"0:01:00";"100";"Incluída";"2025/10/27/a.wav"',
        '"y.wav";"27/10/2025";"08:01:02";"1121";"5511999990000";"";"100";"Incluída com ressalva: a chamada ainda estava sendo gravada";"2025/10/27/a.wav"',
        '"";"27/10/2025";"08:01:02";"\'+55";"5511999990000";"";"";"Não incluída: o arquivo não existe mais";"2025/10/27/a.wav"',
        '',
      ].join('\r\n'),
    );
  });

  test('is the same text in however many blocks it is made', () => {
    const lines = Array.from({ length: 2_000 }, (_, index) => {
      return {
        recording: recording({ key: `${index}` }),
        fileName: 'x.wav',
        sizeBytes: 1,
        fault: null,
        audio: lasting(1),
      };
    });
    const blocks = manifestCsv(lines);
    expect(blocks.length).toBeGreaterThan(2);
    const rows = Buffer.concat(blocks).toString().trim().split('\r\n');
    expect(rows.slice(1).map((row) => /"(\d+)"$/.exec(row)?.[1])).toEqual(
      lines.map((_, index) => `${index}`),
    );
  });

  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '|x', '%x', ' =1'])(
    'keeps %j from being worked out',
    (text) => {
      expect(cell(text)).toBe(`"'${text}"`);
    },
  );

  test('property: a cell stays one cell and never begins like a formula', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const written = cell(text);
        expect(written.slice(1, -1).replaceAll('""', '')).not.toContain('"');
        expect(written).not.toMatch(/^"[=+\-@\t\r]/);
      }),
    );
  });
});
