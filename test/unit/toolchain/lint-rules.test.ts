import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from '../../support/process.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const OXLINT = join(ROOT, 'node_modules/.bin/oxlint');
const LAYERS = 'eslint(no-restricted-imports)';
const PROPERTIES = 'eslint(no-restricted-properties)';

/** A file that breaks a rule: where it lies, what stands in it, and the rule that must say so. */
const BROKEN: readonly (readonly [rule: string, path: string, source: string])[] = [
  [LAYERS, 'protocol/knows-a-room.ts', `export * from '../node/audit.ts';`],
  [LAYERS, 'protocol/knows-a-room-lazily.ts', `export const audit = await import('../node/audit.ts');`],
  [LAYERS, 'node/ingest/knows-imap.ts', `export * from '../mail/imap-mailbox.ts';`],
  [LAYERS, 'node/ingest/passes-imap-on.ts', `export * from '../mail/imap-mailbox.ts';`],
  [LAYERS, 'node/ingest/knows-imap-types.ts', `export type { A } from '../mail/imap-mailbox.ts';`],
  [LAYERS, 'node/replies/knows-smtp.ts', `export * from '../mail/smtp-mailer.ts';`],
  [LAYERS, 'node/commands/knows-s3.ts', `export * from '../delivery/s3-publisher.ts';`],
  [LAYERS, 'node/listeners/knows-web.ts', `export * from '../delivery/web-publisher.ts';`],
  [LAYERS, 'node/commands/knows-disk.ts', `export * from '../recordings/disk-source.ts';`],
  [LAYERS, 'node/commands/knows-ssh.ts', `export * from '../servers/ssh-session.ts';`],
  [LAYERS, 'node/queue/knows-rpc.ts', `export * from '../peer/rpc-client.ts';`],
  [LAYERS, 'node/config.ts', `export * from './mail/imap-mailbox.ts';`],
  [LAYERS, 'node/main.ts', `export * from './mail/imap-mailbox.ts';`],
  [LAYERS, 'node/queue/knows-the-wiring.ts', `export * from '../node.ts';`],
  [LAYERS, 'node/cli/knows-the-wiring.ts', `export * from '../node.ts';`],
  [LAYERS, 'node/audit.ts', `export * from './node.ts';`],
  [LAYERS, 'node/cli/opens-the-spool.ts', `export * from '../queue/spool.ts';`],
  [LAYERS, 'node/cli/knows-an-adapter.ts', `export * from '../mail/smtp-mailer.ts';`],
  [LAYERS, 'node/platform/knows-a-room.ts', `export * from '../queue/spool.ts';`],
  [LAYERS, 'node/queue/knows-its-tests.ts', `export * from '../../test/support/process.ts';`],
  [LAYERS, 'node/node.ts', `export * from './mail/imap-mailbox.ts';`],
  [LAYERS, 'node/queue/knows-the-adapters.ts', `export * from '../adapters.ts';`],
  [
    'import(no-cycle)',
    'node/queue/cycle-a.ts',
    `import { b } from './cycle-b.ts';\nexport const a = (): number => b;`,
  ],
  [PROPERTIES, 'node/queue/date-now.ts', 'export const now = (): number => Date.now();'],
  [PROPERTIES, 'protocol/temporal-now.ts', 'export const now = () => Temporal.Now.instant();'],
  [PROPERTIES, 'node/queue/monotonic.ts', 'export const now = (): number => performance.now();'],
  [PROPERTIES, 'node/queue/random.ts', 'export const dice = (): number => Math.random();'],
  ['clock(no-bare-date)', 'node/queue/new-date.ts', 'export const now = (): Date => new Date();'],
  ['eslint(no-console)', 'node/queue/console.ts', `console.log('hello');`],
  [
    'typescript(no-floating-promises)',
    'node/queue/floating.ts',
    `import { rm } from 'node:fs/promises';\nexport function go(): void {\n  rm('x');\n}`,
  ],
  [
    'typescript(no-misused-promises)',
    'node/queue/misused.ts',
    `import { rm } from 'node:fs/promises';\n['x'].forEach(async (name) => {\n  await rm(name);\n});`,
  ],
  ['typescript(await-thenable)', 'node/queue/awaits-nothing.ts', 'export const one = async () => await 1;'],
  [
    'typescript(no-explicit-any)',
    'node/queue/any.ts',
    'export const parsed = (text: any): string => String(text);',
  ],
];

/** What the rules must let pass, so that none of them forbids everything. */
const ALLOWED: readonly (readonly [path: string, source: string])[] = [
  ['protocol/sibling.ts', `export * from './job.ts';`],
  [
    'node/ingest/ports.ts',
    `export * from '../mail/mailbox.ts';\nexport * from '../../protocol/job.ts';\nexport * from '../platform/clock.ts';`,
  ],
  ['node/mail/imap-mailbox.ts', `export * from './imap-errors.ts';\nexport * from './mailbox.ts';`],
  ['node/platform/clock.ts', 'export const now = () => [Temporal.Now.instant(), new Date(), Date.now()];'],
  ['node/queue/dates.ts', 'export const later = (ms: number): Date => new Date(ms);'],
  ['node/adapters.ts', `export * from './mail/imap-mailbox.ts';`],
  ['node/cli/status.ts', `export * from '../platform/errors.ts';\nconsole.log('running');`],
  [
    'test/unit/any.ts',
    `export * from '../../node/mail/imap-mailbox.ts';\nexport * from '../../node/node.ts';\nexport const now = Date.now();`,
  ],
  ['demo/any.ts', `export * from '../node/node.ts';`],
];

let findings: ReadonlyMap<string, readonly string[]>;
let project: Awaited<ReturnType<typeof temporaryDirectory>>;

/** All files are written into one project and linted in one run: a run for each would take most of a minute. */
beforeAll(async () => {
  project = await temporaryDirectory();
  const { path } = project;
  const cycle = `import { a } from './cycle-a.ts';\nexport const b = a();`;
  const files = [...BROKEN.map(([, file, source]) => [file, source] as const), ...ALLOWED];
  for (const [file, source] of [...files, ['node/queue/cycle-b.ts', cycle] as const]) {
    await mkdir(dirname(join(path, file)), { recursive: true });
    await writeFile(join(path, file), `${source}\n`);
  }
  for (const shared of ['.oxlintrc.json', 'tsconfig.json', 'test/toolchain', 'node_modules']) {
    await symlink(join(ROOT, shared), join(path, shared));
  }
  findings = await lint(path);
});

afterAll(async () => {
  await project[Symbol.asyncDispose]();
});

/** Lints a project and gives the rules broken in each file. */
async function lint(directory: string): Promise<Map<string, string[]>> {
  const args = ['--type-aware', '--format', 'json', 'protocol', 'node', 'test', 'demo'];
  const { stdout } = await promisify(execFile)(OXLINT, args, { cwd: directory }).catch(
    (failed: { stdout: string }) => failed,
  );
  const report = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const byFile = new Map<string, string[]>();
  for (const { code, filename } of report.diagnostics)
    byFile.set(filename, [...(byFile.get(filename) ?? []), code]);
  return byFile;
}

describe('the linter', () => {
  test.each(BROKEN)('reports %s in %s', (rule, path) => {
    expect(findings.get(path)).toContain(rule);
  });

  test.each(ALLOWED)('lets %s pass', (path) => {
    expect(findings.get(path) ?? []).toEqual([]);
  });
});
