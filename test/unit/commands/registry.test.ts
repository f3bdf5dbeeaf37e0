import { describe, expect, test } from 'vitest';
import { createRegistry } from '../../../node/commands/registry.ts';
import { faultsOf, ramais, registry, simple } from './grammar-support.ts';

const RANGE = 'INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00';
const EXAMPLE = 'RAMAIS=1121,1122 INICIO=11/11/2025 08:00 FIM=11/11/2025 18:00';

describe('a subject that asks for one command', () => {
  test('is that command, with the lane and source it is worked in', () => {
    expect(registry.parse(`Re: RAMAIS=1121 SERVER=gv1p ${RANGE}`)).toMatchObject({
      ok: true,
      command: { keyword: 'RAMAIS' },
      params: { extensions: ['1121'] },
      lane: 'recordings',
      source: 's3',
    });
  });

  test('may be a bare word, alone or with what follows it', () => {
    expect(registry.parse('ajuda')).toMatchObject({
      ok: true,
      command: { keyword: 'AJUDA' },
      lane: 'replies',
    });
    expect(registry.parse('WHITELIST add x@example.com')).toMatchObject({
      params: { WHITELIST: 'add x@example.com' },
    });
  });

  test('may be greeted', () => {
    expect(registry.parse(`Bom dia, segue pedido: RAMAIS=1121 ${RANGE}`)).toMatchObject({ ok: true });
  });
});

describe('a subject without a command', () => {
  test('is told the first command by example', () => {
    expect(registry.parse('Bom dia a todos')).toEqual({
      ok: false,
      command: null,
      faults: [
        { field: 'SUBJECT', code: 'no-command', values: { known: 'RAMAIS, AJUDA, WHITELIST, CHECKIP' } },
      ],
      corrected: EXAMPLE,
    });
  });

  test('an empty or endless one likewise', () => {
    expect(registry.parse('')).toMatchObject({ faults: [{ code: 'subject-empty' }], corrected: EXAMPLE });
    expect(registry.parse('x'.repeat(2000))).toMatchObject({
      faults: [{ code: 'subject-too-long' }],
      corrected: EXAMPLE,
    });
  });

  test.each([`RAMAS=1121 ${RANGE}`, `Rmais 1121 ${RANGE}`, `Por favor RAMAES 1121 ${RANGE}`])(
    'a misspelt one is recognised: %s',
    (subject) => {
      const parsed = registry.parse(subject);
      expect(parsed).toMatchObject({ ok: false, command: 'RAMAIS', corrected: `RAMAIS=1121 ${RANGE}` });
      expect(faultsOf(parsed)).toEqual(['SUBJECT unknown-command']);
    },
  );

  test('faults beside the misspelt one are told too', () => {
    expect(faultsOf(registry.parse('RAMAS=12 INICIO=27/10/2025 FIM=28/10/2025'))).toEqual([
      'SUBJECT unknown-command',
      'RAMAIS extension-form',
    ]);
  });

  test('fields of a command tell which one was meant', () => {
    const parsed = registry.parse(RANGE);
    expect(parsed).toMatchObject({ command: 'RAMAIS', corrected: `RAMAIS=1121,1122 ${RANGE}` });
    expect(faultsOf(parsed)).toEqual(['RAMAIS field-missing']);
  });
});

test('two commands in a subject are refused, with the first alone as the corrected one', () => {
  const parsed = registry.parse(`RAMAIS=1121 ${RANGE} CHECKIP=203.0.113.9`);
  expect(parsed).toMatchObject({
    faults: [{ code: 'two-commands', values: { commands: 'RAMAIS, CHECKIP' } }],
    corrected: `RAMAIS=1121 ${RANGE}`,
  });
});

test('a corrected subject in which a value would read as a command is not offered', () => {
  const parsed = registry.parse('CHECKIP= AJUDA=1121 CHECKIP: ');
  expect(faultsOf(parsed)).toEqual(['SUBJECT two-commands']);
  expect(parsed).toMatchObject({ corrected: 'AJUDA' });
});

describe('a command of the node itself', () => {
  test('cannot be asked for, nor is it suggested', () => {
    expect(faultsOf(registry.parse('RECUSA=1'))).toEqual(['SUBJECT no-command']);
    expect(faultsOf(registry.parse('RECUSAS'))).toEqual(['SUBJECT no-command']);
    expect(registry.keywords).not.toContain('RECUSA');
  });

  test('is found by its keyword', () => {
    expect(registry.get('RECUSA')?.internal).toBe(true);
    expect(registry.get('NADA')).toBeUndefined();
  });
});

describe('commands that contradict each other are refused at start', () => {
  test.each([
    ['the same keyword', [ramais, ramais]],
    ['one word for two fields', [ramais, simple('X', { fields: { EXTENSAO: ['RAMAL'] } })]],
  ])('%s', (_what, commands) => {
    expect(() => createRegistry(commands)).toThrow(expect.objectContaining({ code: 'commands.invalid' }));
  });
});
