import { createHash } from 'node:crypto';
import type { NewJob } from '../../node/queue/spool.ts';

/** A job as ingest would hand it over; the same name gives the same job. */
export function newJob(name: string, change: Partial<NewJob> = {}): NewJob {
  return {
    id: createHash('sha256').update(name).digest('hex'),
    door: 'mail',
    lane: 'recordings',
    source: 'audio',
    request: {
      command: 'RAMAIS',
      params: {
        extensions: ['1121'],
        start: '2026-03-01T08:00:00',
        end: '2026-03-01T18:00:59',
        server: null,
        audiosFrom: null,
      },
      requester: 'maria@example.com',
      subject: 'RAMAIS=1121 INICIO=01/03/2026 08:00 FIM=01/03/2026 18:00',
      messageId: `<${name}@example.com>`,
      references: [],
    },
    ...change,
  };
}
