import { describe, expect, test } from 'vitest';
import type { Job } from '../../../protocol/job.ts';
import type { Delivery } from '../../../node/delivery/manifest.ts';
import { createOperations, type OperationsOptions } from '../../../node/operations.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { newJob } from '../../support/jobs.ts';
import { createMemoryPublisher } from '../../support/memory-publisher.ts';

const { signal } = new AbortController();

/** The parts of a node that showing a delivered job touches. */
function setup() {
  const publisher = createMemoryPublisher(fixedClock());
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
    deliveries: { read: async () => delivery },
    sources: new Map(),
    publisher,
  };
  const operations = createOperations(options as unknown as OperationsOptions);
  return { publisher, show: () => operations.job({ id: job.id }, signal) };
}

describe('a job that is shown', () => {
  test('comes with the links to what was delivered, and their end', async () => {
    const job = await setup().show();
    expect(job.links).toMatchObject([{ name: 'gravacoes-20260301-0800.zip', sizeBytes: 10 }]);
    expect(job.linksExpireAt).toBe('2026-03-02T08:00:00Z');
  });

  test.each(['publish.expired', 'publish.refused'])(
    'is shown without them where they fail: %s',
    async (code) => {
      const { publisher, show } = setup();
      publisher.link = async () => {
        throw new AppError(code, 'no link can be made');
      };
      expect(await show()).toMatchObject({ state: 'completed', links: [], linksExpireAt: null });
    },
  );
});
