import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RPC_METHODS } from '../../../protocol/methods.ts';
import { PROBLEMS } from '../../../protocol/problems.ts';
import { PROTOCOL_COMMAND, PROTOCOL_FILE, protocolDocument } from '../../toolchain/protocol-doc.ts';

test('docs/PROTOCOL.md is what the tables say', async () => {
  expect(await readFile(PROTOCOL_FILE, 'utf8'), `run: ${PROTOCOL_COMMAND}`).toBe(protocolDocument());
});

test('docs/PROTOCOL.md names every method and every problem', () => {
  const text = protocolDocument();
  for (const method of Object.keys(RPC_METHODS)) expect(text).toContain(`### ${method}\n`);
  for (const code of Object.keys(PROBLEMS)) expect(text).toContain(`| \`${code}\` |`);
});
