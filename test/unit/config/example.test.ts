import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type AnyKey, KEYS, RETIRED_KEYS } from '../../../node/config/keys.ts';
import { loadFrom } from '../../support/config.ts';

const example = await readFile(new URL('../../../config/node.conf.example', import.meta.url), 'utf8');
const servers = await readFile(new URL('../../../config/servers.json.example', import.meta.url), 'utf8');
const keys = Object.entries(KEYS as Readonly<Record<string, AnyKey>>);
const lines = [...example.matchAll(/^(#?)([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, mark, key, value]) => ({
  commented: mark === '#',
  key: key ?? '',
  value: value ?? '',
}));

describe('config/node.conf.example', () => {
  test('has every key once, and none that is not one', () => {
    expect(
      lines
        .map((line) => line.key)
        .filter((key) => key !== 'KEY')
        .toSorted(),
    ).toEqual(keys.map(([name]) => name).toSorted());
  });

  test('says a word on every key before it', () => {
    for (const { key } of lines.filter((line) => line.key !== 'KEY')) {
      expect(example).toMatch(new RegExp(`^# .*\\n(?:#?[A-Z][A-Z0-9_]*=.*\\n)*#?${key}=`, 'm'));
    }
    for (const key of Object.keys(RETIRED_KEYS)) expect(example).toContain(key);
  });

  test.each(keys)('shows the default of %s where it is commented out', (name, key) => {
    const line = lines.find((candidate) => candidate.key === name);
    if (line?.commented !== true || key.fallback === null) return;
    expect(line.value).toBe(key.fallback);
  });

  test('loads without a warning once the password is filled in', async () => {
    const { config, warnings } = await loadFrom(
      example.replace('EMAIL_PASSWORD=', 'EMAIL_PASSWORD=filled-in'),
    );
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ nodeId: 'audio', mode: 'master', publish: { kind: 'web' } });
  });

  test('as it is lacks the password and nothing else', async () => {
    await expect(loadFrom(example)).rejects.toThrow(/^\/c\/node\.conf EMAIL_PASSWORD: is required; .*$/);
  });

  test('loads with every line in force', async () => {
    const inForce = example
      .replaceAll(/^#([A-Z][A-Z0-9_]*=)/gm, '$1')
      .replaceAll(/^((?:EMAIL|SMTP)_PASSWORD|S3_SECRET_ACCESS_KEY)=$/gm, '$1=filled-in')
      .replaceAll(/^KEY=.*$/gm, '');
    const pem = '-----BEGIN CERTIFICATE-----';
    const { config, warnings } = await loadFrom(inForce, {
      files: {
        '/etc/parelha/imap-ca.pem': pem,
        '/etc/parelha/smtp-ca.pem': pem,
        '/etc/parelha/valid_tokens.txt': 'A1B2C3D4',
        '/etc/parelha/servers.json': servers,
      },
    });
    expect(warnings).toEqual([]);
    expect(config.servers.map((server) => server.id)).toEqual(['gv1p', 'gv2p', 'voip1']);
  });
});

test.each(keys)('the example of %s in messages is a good value', (_, key) => {
  expect(key.schema.safeParse(key.example.replaceAll('"', '')).success).toBe(true);
});
