import { describe, expect, test } from 'vitest';
import { readLegacyRequest } from '../../../node/commands/legacy-request.ts';
import { legacyDocumentSchema } from '../../../protocol/legacy.ts';
import { grammar, namesOf, registry } from './grammar-support.ts';

function document(parameters: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  return legacyDocumentSchema.parse({
    request_id: '20251111_150122_req001',
    timestamp_received: '2025-11-11 15:01:22',
    from_email: 'User@Example.com',
    status: 'pending',
    retries: 0,
    parameters: { ramais: '1121,1122', inicio: '29/09/2025 00:00', fim: '27/10/2025 23:59', ...parameters },
    ...more,
  });
}

describe('an old document', () => {
  test('asks for what its subject would have asked for', () => {
    const request = readLegacyRequest(document({ email: 'other@example.com' }));
    expect(request).toMatchObject({ requester: 'other@example.com', sender: 'user@example.com', faults: [] });
    expect(request.subject).toBe('RAMAIS=1121,1122 INICIO=29/09/2025 00:00 FIM=27/10/2025 23:59');
    const params = {
      extensions: ['1121', '1122'],
      start: '2025-09-29T00:00:00',
      end: '2025-10-27T23:59:59',
      server: null,
      audiosFrom: null,
    };
    expect(grammar.parse(request.fields)).toEqual({ ok: true, params });
    expect(registry.parse(request.subject)).toMatchObject({ ok: true, params });
  });

  test('may name a server and a source', () => {
    const request = readLegacyRequest(document({ server: 'GV1P', audios_from: 'audio', ramais: 1121 }));
    expect(grammar.parse(request.fields)).toMatchObject({
      params: { extensions: ['1121'], server: 'gv1p', audiosFrom: 'audio' },
    });
  });

  test('answers its sender where it names nobody else', () => {
    expect(readLegacyRequest(document({ email: ' ' })).requester).toBe('user@example.com');
    expect(readLegacyRequest(document({}, { from_email: 'Name <A@example.com>' })).requester).toBe(
      'a@example.com',
    );
  });

  test.each([
    'a@example.com, b@example.com',
    'a@example.com\nBcc: b@example.com',
    'nobody',
    'a b@example.com',
    '<a@x',
    '@',
  ])('with %j as the sender has nobody to answer', (from) => {
    const request = readLegacyRequest(document({}, { from_email: from }));
    expect(request.requester).toBeNull();
    expect(namesOf(request.faults)).toEqual(['FROM_EMAIL address-invalid']);
  });

  test('with a bad address to answer is not answered to its sender instead', () => {
    const request = readLegacyRequest(document({ email: 'x@' }));
    expect(request.requester).toBeNull();
    expect(namesOf(request.faults)).toEqual(['EMAIL address-invalid']);
  });

  test('with faults gets them all from the grammar', () => {
    const parsed = grammar.parse(readLegacyRequest(document({ ramais: '1', fim: '' })).fields);
    expect(parsed.ok ? [] : namesOf(parsed.faults)).toEqual(['RAMAIS extension-form', 'FIM field-empty']);
  });
});
