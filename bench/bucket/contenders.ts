import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { createLog } from '../../node/platform/log.ts';
import { systemClock } from '../../node/platform/clock.ts';
import { type BucketLayout, parseLayout } from '../../node/recordings/bucket-layout.ts';
import { matchesOf } from '../../node/recordings/match.ts';
import { createS3Source } from '../../node/recordings/s3-source.ts';
import type { Ceph } from '../../test/support/ceph.ts';
import { QUERY } from './keys.ts';

const run = promisify(execFile);
const RCLONE_OUTPUT_BYTES = 256 * 1024 * 1024;
const { signal } = new AbortController();

/** Finds what the query asks for; in which way is its own affair. */
export type Contender = () => Promise<{
  /** Keys, sorted. */
  readonly found: readonly string[];
  /** Null where it does not tell. */
  readonly pages: number | null;
}>;

export function accountOf(ceph: Ceph) {
  const credentials = { accessKeyId: ceph.accessKey, secretAccessKey: ceph.secretKey };
  return { region: ceph.region, endpoint: ceph.endpoint, credentials };
}

/** A search as the node does it. */
export async function ours(ceph: Ceph, bucket: string, template: string): Promise<Contender> {
  const told = { pages: 0 };
  const log = createLog({
    level: 'info',
    style: 'terminal',
    write: (line) => (told.pages = Number(/ pages=(\d+)/.exec(line)?.[1])),
  });
  const source = await createS3Source({
    ...accountOf(ceph),
    bucket,
    prefix: '',
    layout: layoutOf(template),
    except: null,
    order: 'origin-dest',
    clock: systemClock,
    log,
  });
  return async () => {
    const { recordings } = await source.find(QUERY, signal);
    return { found: recordings.map(({ key }) => key).toSorted(), pages: told.pages };
  };
}

/** All keys by the SDK, as a script does it; then the names that match. */
export function fullListing(ceph: Ceph, bucket: string): Contender {
  return async () => {
    const keys: string[] = [];
    let pages = 0;
    for await (const page of paginateListObjectsV2({ client: ceph.client }, { Bucket: bucket })) {
      pages += 1;
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) keys.push(Key);
    }
    return { found: matching(keys), pages };
  };
}

/** `rclone lsf -R` with a filter on names, and with `days` on the directories too, which it then does not enter. */
export function rclone(ceph: Ceph, bucket: string, days: readonly string[] | null): Contender {
  const numbers = `{${QUERY.extensions.join(',')}}`;
  const names = [`*-${numbers}-*`];
  const filters = days === null ? names : days.flatMap((day) => names.map((name) => `/${day}/${name}`));
  const args = [
    ...['lsf', '-R', '--files-only', ...(days === null ? ['--fast-list'] : []), `:s3:${bucket}`],
    ...filters.flatMap((filter) => ['--include', filter]),
    ...['--s3-provider', 'Ceph', '--s3-endpoint', ceph.endpoint, '--s3-region', ceph.region],
    ...['--s3-access-key-id', ceph.accessKey, '--s3-secret-access-key', ceph.secretKey],
    ...['--config', '/dev/null'],
  ];
  return async () => {
    // Its settings can come from the environment too; here there are none.
    const env = { PATH: process.env['PATH'] };
    const { stdout } = await run('rclone', args, { maxBuffer: RCLONE_OUTPUT_BYTES, env });
    return { found: matching(stdout.split('\n')), pages: null };
  };
}

function matching(keys: readonly string[]): string[] {
  const candidates = keys.map((key) => ({ key, underServer: false }));
  return matchesOf(candidates, QUERY, 'origin-dest')
    .map(({ candidate }) => candidate.key)
    .toSorted();
}

function layoutOf(template: string): BucketLayout {
  const parsed = parseLayout(template);
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.layout;
}
