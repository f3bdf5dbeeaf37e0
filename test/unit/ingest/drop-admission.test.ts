import { describe, expect, test } from 'vitest';
import { createWhitelist } from '../../../node/access/whitelist.ts';
import { createDropAdmission } from '../../../node/ingest/drop-admission.ts';
import { AppError } from '../../../node/platform/errors.ts';

const document = {
  request_id: '20251111_150122_req001',
  timestamp_received: '2025-11-11 15:01:22',
  from_email: 'user@example.com',
  status: 'pending',
  retries: 0,
  parameters: {
    ramais: '1121,1122',
    inicio: '29/09/2025 00:00',
    fim: '27/10/2025 23:59',
    email: 'user@example.com',
  },
};

/** An admission whose spool fails with this code at each document. */
function admissionThatFails(code: string) {
  const command = {
    keyword: 'RAMAIS',
    parse: () => ({ ok: true, params: {} }),
    route: () => ({ lane: 'recordings', source: 'audio' }),
  };
  return createDropAdmission({
    registry: { get: () => command as never },
    whitelist: createWhitelist(['user@example.com'], []),
    acceptor: {
      accept: async () => {
        throw new AppError(code, 'as the test wants it');
      },
    },
    ledger: { find: () => null } as never,
    audit: { record: async () => undefined },
  });
}

describe('a dropped document that the spool does not take', () => {
  test.each([
    ['spool.conflict', 'drop.refused'],
    ['spool.unwritable', 'spool.unwritable'],
  ])('by %s is %s: moved aside where it never will be, tried again where it may', async (code, told) => {
    const admit = admissionThatFails(code);
    await expect(admit(Buffer.from(JSON.stringify(document)), document)).rejects.toMatchObject({
      code: told,
    });
  });
});
