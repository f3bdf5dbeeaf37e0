import { describe, expect, test, vi } from 'vitest';
import type { Job } from '../../../protocol/job.ts';
import type { AuditEvent } from '../../../node/audit.ts';
import type { Delivery } from '../../../node/delivery/manifest.ts';
import type { Presign } from '../../../node/delivery/publisher.ts';
import { createPresignedLinks } from '../../../node/links/presigned-links.ts';
import { createOperations, type OperationsOptions } from '../../../node/operations.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';

const { signal } = new AbortController();

/** The parts of a node that showing a delivered job touches. */
function setup(presign: Partial<Presign> = {}, summary: { readonly revokedAt?: Temporal.Instant } = {}) {
  const publisher = createMemoryPublisher(fixedClock());
  const record = vi.fn<(event: AuditEvent) => Promise<void>>(() => Promise.resolve());
  const accepted = newJob('shown');
  const job = { ...accepted, steps: {}, outcome: { kind: 'done', summary: 'done' } } as unknown as Job;
  const name = 'gravacoes-20260301-0800.zip';
  const delivery: Delivery = {
    job: job.id,
    expiresAt: '2026-03-02T08:00:00Z',
    zips: [{ key: `${job.id}/${name}`, fileName: name, sizeBytes: 10, count: 1 }],
    items: [],
    totalBytes: 0,
  };
  const options = {
    spool: {
      ids: () => [job.id],
      read: async () => job,
      stateOf: () => 'completed',
    },
    worker: { progressOf: () => null },
    deliveries: {
      read: async () => (summary.revokedAt === undefined ? delivery : null),
      summary: () => ({ about: {}, ...summary }),
    },
    sources: new Map(),
    publisher,
    links: createPresignedLinks({ ...(publisher.presign as Presign), ...presign }),
    record,
  };
  const operations = createOperations(options as unknown as OperationsOptions);
  return { record, show: () => operations.job({ id: job.id }, signal) };
}

describe('a job that is shown', () => {
  test('comes with the links to what was delivered, and their end', async () => {
    const { show, record } = setup();
    const job = await show();
    expect(job.links).toMatchObject([
      { name: 'gravacoes.html', sizeBytes: null },
      { name: 'gravacoes-20260301-0800.zip', sizeBytes: 10 },
    ]);
    expect(record.mock.lastCall?.[0]).toMatchObject({
      event: 'links.made',
      to: 'node-ctl',
      kind: 'presigned',
    });
    expect(job.linksExpireAt).toBe('2026-03-02T08:00:00Z');
  });

  test('says when its links were taken back', async () => {
    const { show } = setup({}, { revokedAt: Temporal.Instant.from('2026-03-01T09:00:00Z') });
    expect(await show()).toMatchObject({ links: [], linksRevokedAt: '2026-03-01T09:00:00Z' });
  });

  test.each(['publish.expired', 'publish.refused'])(
    'is shown without them where they fail: %s',
    async (code) => {
      const { record, show } = setup({
        link: () => Promise.reject(new AppError(code, 'no link can be made')),
      });
      expect(await show()).toMatchObject({ state: 'completed', links: [], linksExpireAt: null });
      expect(record).not.toHaveBeenCalled();
    },
  );
});
