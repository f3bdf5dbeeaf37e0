import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAdapters } from '../../../node/adapters.ts';
import { beginIndex } from '../../../node/indexing/index-files.ts';
import { systemClock } from '../../../node/platform/clock.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { configText, loadFrom } from '../../support/config.ts';
import { temporaryDirectory } from '../../support/process.ts';
import { NO_TRUST } from '../../support/no-trust.ts';

/** Databases that are left when a node with these settings has been put together over indexes of both sources. */
async function leftBy(settings: Readonly<Record<string, string>>): Promise<string[]> {
  const { path, ...temporary } = await temporaryDirectory();
  onTestFinished(() => temporary[Symbol.asyncDispose]());
  const directory = join(path, 'index');
  for (const source of ['audio', 's3'] as const) {
    using builder = beginIndex(directory, source);
    builder.complete();
  }
  const { config } = await loadFrom(configText({ STATE_DIR: path, ...settings }));
  const { mailer } = await createAdapters(config, NO_TRUST, systemClock, silentLog);
  onTestFinished(() => mailer.close());
  return (await readdir(directory)).toSorted();
}

describe('an index that was built once', () => {
  test('goes when its source is none of the node’s any more', async () => {
    expect(await leftBy({ SOURCES: 'audio' })).toEqual(['audio-1.db']);
  });

  test('goes when there are to be no indexes', async () => {
    expect(await leftBy({ SOURCES: 'audio', RECORDINGS_INDEX: 'off' })).toEqual([]);
  });
});
