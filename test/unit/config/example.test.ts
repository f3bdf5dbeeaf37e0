import { readFileSync } from 'node:fs';
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

describe.each([
  {
    file: 'audio.conf.example',
    filled: ['EMAIL_PASSWORD', 'SMTP_PASSWORD'],
    means: { nodeId: 'audio', mode: 'slave', sources: ['audio'], audiosFrom: 'audio' },
    peer: { id: 'audio2', rpc: { url: 'https://audio2.example.com:7443' } },
  },
  {
    file: 'audio2.conf.example',
    filled: ['EMAIL_PASSWORD', 'SMTP_PASSWORD', 'S3_SECRET_ACCESS_KEY'],
    means: { nodeId: 'audio2', mode: 'master', sources: ['s3'], audiosFrom: 's3' },
    peer: { id: 'audio', rpc: { url: 'https://audio.example.com:7443' } },
  },
])('config/$file', ({ file, filled, means, peer }) => {
  const text = readFileSync(new URL(`../../../config/${file}`, import.meta.url), 'utf8');
  const withPasswords = filled.reduce((so, key) => so.replace(`\n${key}=\n`, `\n${key}="filled in"\n`), text);

  test('leaves the passwords to be filled in, and nothing else', async () => {
    expect(text.match(/^[A-Z0-9_]+=$/gm)).toEqual(filled.map((key) => `${key}=`));
    await expect(loadFrom(text)).rejects.toThrow(/ EMAIL_PASSWORD: is required/);
  });

  test('loads without a warning once the passwords are filled in', async () => {
    const { config, warnings } = await loadFrom(withPasswords);
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ ...means, peer });
  });

  test('loads with every line in force', async () => {
    const inForce = withPasswords.replaceAll(/^#([A-Z][A-Z0-9_]*=)/gm, '$1');
    const { config, warnings } = await loadFrom(inForce, {
      files: {
        '/etc/parelha/valid_tokens.txt': { text: 'A1B2C3D4', mode: 0o640 },
        '/etc/parelha/servers.json': servers,
      },
    });
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ access: { requireToken: true }, servers: [{ id: 'gv1p' }, {}, {}] });
  });

  test('says a word on every key before it', () => {
    for (const [, key] of text.matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)) {
      expect(text).toMatch(new RegExp(`^# .*\\n(?:#?[A-Z][A-Z0-9_]*=.*\\n)*#?${key}=`, 'm'));
    }
  });
});

test.each(keys)('the example of %s in messages is a good value', (_, key) => {
  expect(key.schema.safeParse(key.example.replaceAll('"', '')).success).toBe(true);
});
