import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../node/config.ts';
import { AppError } from '../../../node/platform/errors.ts';
import { configText, loadFrom } from '../../support/config.ts';
import { temporaryDirectory } from '../../support/process.ts';

/** The lines of the message with which a configuration is refused. */
async function refusal(...args: Parameters<typeof loadFrom>): Promise<string[]> {
  const error: unknown = await loadFrom(...args).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  expect(error).toMatchObject({ code: 'config.invalid' });
  return (error as AppError).message.split('\n');
}

describe('a configuration that works', () => {
  test('needs ten keys, and the rest has defaults', async () => {
    const { config, warnings } = await loadFrom(configText());
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      nodeId: 'audio',
      mode: 'slave',
      sources: ['audio'],
      audiosFrom: 'audio',
      stateDir: '/var/lib/parelha',
      queueDir: '/var/lib/parelha/queue',
      controlSocket: '/var/lib/parelha/control.sock',
      logLevel: 'info',
      spoolDays: { completed: 30, failed: 30 },
      diskHeadroomBytes: 1_073_741_824,
      mail: {
        host: 'imap.example.com',
        port: 993,
        tls: 'tls',
        ca: null,
        auth: { user: 'comandos@example.com', password: 'correct-horse' },
        mailbox: 'INBOX',
        sentMailbox: 'auto',
        maxBytes: 10_485_760,
      },
      smtp: {
        host: 'smtp.example.com',
        port: 465,
        tls: 'tls',
        ca: null,
        auth: null,
        from: { name: '', address: 'comandos@example.com' },
      },
      access: {
        whitelist: ['pessoa@example.com'],
        adminEmail: 'admin@example.com',
        tokenFile: null,
        requireToken: false,
        senderAuth: { kind: 'results', authservId: 'mx.example.com' },
        roleCommands: {
          operador: [
            ...['RAMAIS', 'CHECKIP', 'MACCHANGE', 'STATUS', 'FILA', 'CANCELAR', 'REENVIAR', 'AJUDA'],
          ],
          consulta: ['RAMAIS', 'STATUS', 'FILA', 'CANCELAR', 'REENVIAR', 'AJUDA'],
        },
        repliesPerSender: 100,
        repliesPerDay: 500,
      },
      checkIp: { ignoreDays: 30, retryMs: 1_800_000 },
      limits: {
        maxExtensions: 10,
        maxDays: 30,
        processingTimeoutMs: 1_800_000,
        maxAttempts: 3,
        maxResultBytes: 2_147_483_648,
        maxResultFiles: 5000,
      },
      archiveLevel: 0,
      recordings: {
        dir: '/srv/recordings',
        timeZone: 'America/Sao_Paulo',
        order: 'origin-dest',
        index: true,
        bucket: null,
      },
      publish: {
        kind: 'web',
        transcode: false,
        linkHours: 24,
        webListen: { host: '127.0.0.1', port: 8080 },
        publicUrl: 'https://gravacoes.example.com',
        s3: null,
      },
      s3: null,
      peer: null,
      certsDir: '/var/lib/parelha/certs',
      sshHostKeysDir: '/etc/ssh',
      servers: [],
      serversFile: null,
      serverLogin: { user: 'parelha', keyFile: '/var/lib/parelha/certs/servers.key' },
    });
  });

  test('is an old monitor_config.txt with the new keys added; its retired keys are warned of', async () => {
    const old = [
      'EMAIL_SERVICE=comandos@gmail.com',
      'EMAIL_PASSWORD=abcd efgh ijkl mnop',
      'WHITELIST=Pessoa@Example.com; @example.org,outra@example.com',
      'SMTP_SERVER=smtp.gmail.com',
      'SMTP_PORT=587',
      'SMTP_FROM=comandos@gmail.com',
      'SMTP_PASSWORD=abcd efgh ijkl mnop',
      'LOG_FILE=/var/log/monitor.log',
      'QUEUE_DIR=/opt/queue',
      'QUEUE_PROCESSOR_LOG=/var/log/queue.log',
      'PROCESSOR_SCRIPT=/opt/selecionar_audios.py',
      'MAX_RAMAIS=5',
      'MODE=master',
      'NODE_ID=audio2',
      'ADMIN_EMAIL=admin@example.com',
      'SENDER_AUTH=mx.google.com',
      'RECORDINGS_DIR=/srv/recordings',
      'PUBLISH=s3',
      'S3_BUCKET=gravacoes',
    ];
    const { config, warnings } = await loadFrom(old.join('\n'));
    expect(config.mail.host).toBe('imap.gmail.com');
    expect(config.mail.auth.password).toBe('abcd efgh ijkl mnop');
    expect(config.smtp).toMatchObject({
      port: 587,
      tls: 'starttls',
      auth: { user: 'comandos@gmail.com', password: 'abcd efgh ijkl mnop' },
    });
    expect(config.access.whitelist).toEqual(['pessoa@example.com', '@example.org', 'outra@example.com']);
    expect(config.queueDir).toBe('/opt/queue');
    expect(config.publish).toMatchObject({ kind: 's3', s3: { bucket: 'gravacoes', credentials: null } });
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/^\/c\/node\.conf:8 LOG_FILE: has no meaning any more: .*journalctl/);
    expect(warnings[2]).toMatch(/^\/c\/node\.conf:11 PROCESSOR_SCRIPT: .*node-ctl queue list/);
  });

  test('lets the environment go over the file, and passes over variables that are not keys', async () => {
    const { config } = await loadFrom(configText({ MAX_RAMAIS: 'ten' }), {
      env: { MAX_RAMAIS: '7', PATH: '/bin', LOG_LEVEL: 'DEBUG', SOURCES: '' },
    });
    expect(config.limits.maxExtensions).toBe(7);
    expect(config.logLevel).toBe('debug');
    expect(config.sources).toEqual(['audio']);
  });

  test('takes relative paths from the directory of the file', async () => {
    const { config } = await loadFrom(configText({ STATE_DIR: 'state', RECORDINGS_DIR: '../rec' }));
    expect(config.stateDir).toBe('/c/state');
    expect(config.controlSocket).toBe('/c/state/control.sock');
    expect(config.recordings.dir).toBe('/rec');
  });

  test.each([
    [{ IMAP_PORT: '143' }, { mail: { port: 143, tls: 'starttls' } }],
    [{ IMAP_TLS: 'none' }, { mail: { port: 143, tls: 'none' } }],
    [{ SMTP_TLS: 'starttls' }, { smtp: { port: 587 } }],
    [{ SMTP_TLS: 'none' }, { smtp: { port: 25 } }],
    [{ SMTP_PORT: '2525' }, { smtp: { port: 2525, tls: 'starttls' } }],
    [{ SMTP_FROM: '"VoIP" <VoIP@example.com>' }, null],
    [
      { SMTP_FROM: 'VoIP <VoIP@example.com>' },
      { smtp: { from: { name: 'VoIP', address: 'voip@example.com' } } },
    ],
    [{ SENT_MAILBOX: '[Gmail]/Sent Mail' }, { mail: { sentMailbox: { name: '[Gmail]/Sent Mail' } } }],
    [{ SENT_MAILBOX: 'None' }, { mail: { sentMailbox: 'none' } }],
    [
      { SOURCES: 'none', RECORDINGS_DIR: null },
      { sources: [], audiosFrom: 'audio' },
    ],
    [
      { SOURCES: 's3', S3_BUCKET: 'abc', RECORDINGS_DIR: null },
      { sources: ['s3'], audiosFrom: 's3' },
    ],
    [{ WEB_LISTEN: '8080' }, { publish: { webListen: { host: '127.0.0.1', port: 8080 } } }],
    [{ WEB_LISTEN: '[::]:8080' }, { publish: { webListen: { host: '::', port: 8080 } } }],
    [{ PUBLIC_URL: 'http://127.0.0.1:8080/' }, { publish: { publicUrl: 'http://127.0.0.1:8080' } }],
    [{ SPOOL_DAYS: '7', SPOOL_FAILED_DAYS: '90' }, { spoolDays: { completed: 7, failed: 90 } }],
    [{ DISK_HEADROOM_BYTES: '0' }, { diskHeadroomBytes: 0 }],
    [{ TRANSCODE: 'on' }, { publish: { transcode: true } }],
    [
      { PUBLISH: 's3', S3_BUCKET: 'abc', PUBLIC_URL: null, WEB_LISTEN: null },
      { publish: { kind: 's3', publicUrl: null, webListen: null } },
    ],
    [{ S3_BUCKET: 'abc', S3_PUBLISH_PREFIX: '/a/b/' }, { s3: { publishPrefix: 'a/b' } }],
    [{ REQUIRE_TOKEN: 'não' }, { access: { requireToken: false } }],
  ])('reads %j', async (changes, expected) => {
    const loading = loadFrom(configText(changes));
    if (expected === null) await expect(loading).rejects.toMatchObject({ code: 'config.invalid' });
    else expect((await loading).config).toMatchObject(expected);
  });

  test.each([
    ['MX.Google.com', { kind: 'results', authservId: 'mx.google.com' }],
    ['verify', { kind: 'verify' }],
    ['OFF', { kind: 'off' }],
  ])('takes %s for how senders are proved', async (written, senderAuth) => {
    const { config, warnings } = await loadFrom(configText({ SENDER_AUTH: written }));
    expect(config.access.senderAuth).toEqual(senderAuth);
    expect(warnings).toHaveLength(written === 'OFF' ? 1 : 0);
  });

  test('can ask for tokens without a TOKEN_FILE: node-ctl makes them', async () => {
    const { config } = await loadFrom(configText({ REQUIRE_TOKEN: 'on' }));
    expect(config.access).toMatchObject({ requireToken: true, tokenFile: null });
  });

  test('asks for a token by itself once there is a TOKEN_FILE', async () => {
    const files = { '/c/tokens.txt': { text: 'A1B2C3D4', mode: 0o644 } };
    const text = configText({ TOKEN_FILE: 'tokens.txt' });
    const { config, warnings } = await loadFrom(text, { files });
    expect(config.access).toMatchObject({ tokenFile: '/c/tokens.txt', requireToken: true });
    expect(warnings).toEqual([expect.stringMatching(/TOKEN_FILE: .*chmod 600 tokens\.txt$/)]);
    const off = await loadFrom(`${text}REQUIRE_TOKEN=off`, { files });
    expect(off.config.access.requireToken).toBe(false);
  });

  test('reads the servers and the certificates that it names', async () => {
    const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';
    const { config } = await loadFrom(configText({ SERVERS_FILE: 'servers.json', IMAP_CA_FILE: '/ca.pem' }), {
      files: {
        '/c/servers.json': '{"sip_servers":[{"id":"gv1p","host":"gv1p.example.com","audios_from":"s3"}]}',
        '/ca.pem': pem,
      },
    });
    expect(config.servers).toMatchObject([
      { id: 'gv1p', name: 'gv1p', host: 'gv1p.example.com', enabled: true, audiosFrom: 's3' },
    ]);
    expect(config.mail.ca).toBe(pem);
    expect(config.smtp.ca).toBeNull();
  });

  test('warns of passwords that would cross a network in plain text, not of those that stay here', async () => {
    const plain = {
      IMAP_TLS: 'none',
      SMTP_TLS: 'none',
      SMTP_PASSWORD: 'x1',
      S3_ENDPOINT: 'http://s3.example.com',
    };
    expect((await loadFrom(configText(plain))).warnings).toHaveLength(3);
    const here = {
      ...plain,
      IMAP_SERVER: 'localhost',
      SMTP_SERVER: '127.0.0.1',
      S3_ENDPOINT: 'http://[::1]:9000',
    };
    expect((await loadFrom(configText(here))).warnings).toEqual([]);
  });
});

describe('a configuration that does not work', () => {
  test('is refused with all that is wrong at once, in the order of the file', async () => {
    const text = configText({
      NODE_ID: 'Áudio 1',
      EMAIL_PASSWORD: null,
      PUBLIC_URL: 'http://gravacoes.example.com',
      IMAP_PROT: '993',
      MAX_RAMAIS: '0',
      SOURCES: 'audio,s3',
    });
    expect(await refusal(`${text}what is this\nMODE=master\nMODE=slave\n`)).toEqual([
      '/c/node.conf:1 NODE_ID: must be 1 to 32 of a-z, 0-9 and -, beginning with a letter; example: NODE_ID=audio',
      '/c/node.conf:9 PUBLIC_URL: must be an https URL (http only on a loopback address), without user, query or fragment; example: PUBLIC_URL=https://gravacoes.example.com',
      '/c/node.conf:10 IMAP_PROT: is not a key: did you mean IMAP_PORT?',
      '/c/node.conf:11 MAX_RAMAIS: must be a whole number from 1 to 1000; example: MAX_RAMAIS=10',
      '/c/node.conf:13: is neither KEY=VALUE nor a # comment',
      '/c/node.conf:15 MODE: is set again (first at line 14); keep one; example: MODE=master',
      '/c/node.conf EMAIL_PASSWORD: is required; example: EMAIL_PASSWORD="the mailbox password"',
      '/c/node.conf S3_RECORDINGS_BUCKET: is required because SOURCES has s3 and no S3_BUCKET is set in which they could lie too; example: S3_RECORDINGS_BUCKET=gravacoes-antigas-example',
    ]);
  });

  test('names the environment where the fault is there', async () => {
    expect(await refusal(configText(), { env: { PUBLISH: 'ftp' } })).toEqual([
      'environment PUBLISH: must be web or s3; example: PUBLISH=web',
    ]);
  });

  test.each([
    [{ email_password: 'x' }, 'did you mean EMAIL_PASSWORD?'],
    [{ WHITELST: 'x' }, 'did you mean WHITELIST?'],
    [{ LOGFILE: 'x' }, 'did you mean LOG_FILE?'],
    [{ QUITE_ANOTHER_THING: 'x' }, 'QUITE_ANOTHER_THING: is not a key'],
    [{ LINK_HOURS: '169' }, 'LINK_HOURS: must be a whole number from 1 to 168'],
    [{ RECORDINGS_TZ: 'America/Sampa' }, 'RECORDINGS_TZ: must be a time zone'],
    [{ WHITELIST: 'a@example.com, nobody' }, 'WHITELIST: entry 2 is neither an address nor @domain'],
    [{ STATE_DIR: '~/state' }, 'STATE_DIR: must be a path (~ is not expanded)'],
    [{ STATE_DIR: `/${'x'.repeat(100)}` }, 'CONTROL_SOCKET: must be at most 100 bytes long'],
    [
      { IMAP_SERVER: 'imap.example.com:993' },
      'IMAP_SERVER: must be a host name or an IP address, without port',
    ],
    [
      { SMTP_SERVER: 'mail.example.com' },
      'IMAP_SERVER: is required because it does not follow from SMTP_SERVER',
    ],
    [{ EMAIL_SERVICE: 'login' }, 'SMTP_FROM: is required because EMAIL_SERVICE is not a mail address'],
    [{ SMTP_USER: 'me' }, 'SMTP_PASSWORD: is required because SMTP_USER is set'],
    [{ SENDER_AUTH: null }, 'SENDER_AUTH: is required; example: SENDER_AUTH=mx.google.com'],
    [{ SENDER_AUTH: 'yes' }, 'SENDER_AUTH: must be the authserv-id of the receiving server'],
    [{ CONSULTA_COMMANDS: 'RAMAIS,*' }, 'CONSULTA_COMMANDS: must be names of commands'],
    [{ SERVERS_USER: 'a b' }, 'SERVERS_USER: must be the name of a user'],
    [{ RECORDINGS_DIR: null }, 'RECORDINGS_DIR: is required because SOURCES has audio'],
    [{ WEB_LISTEN: null }, 'WEB_LISTEN: is required because PUBLISH is web'],
    [{ PUBLIC_URL: null }, 'PUBLIC_URL: is required because PUBLISH is web'],
    [
      { PUBLISH: 's3', S3_BUCKET: 'abc', WEB_LISTEN: null },
      'WEB_LISTEN: is required because PUBLIC_URL is set',
    ],
    [{ DISK_HEADROOM_BYTES: '1GB' }, 'DISK_HEADROOM_BYTES: must be a whole number'],
    [{ PUBLIC_URL: 'https://x.example.com/?a=b' }, 'PUBLIC_URL: must be an https URL'],
    [{ WEB_LISTEN: '127.0.0.1:70000' }, 'WEB_LISTEN: must be PORT'],
    [{ PUBLISH: 's3' }, 'S3_BUCKET: is required'],
    [{ S3_ACCESS_KEY_ID: 'AK' }, 'S3_SECRET_ACCESS_KEY: is required because S3_ACCESS_KEY_ID is set'],
    [{ S3_SECRET_ACCESS_KEY: 'SK' }, 'S3_ACCESS_KEY_ID: is required because S3_SECRET_ACCESS_KEY is set'],
    [{ S3_PUBLISH_PREFIX: 'a/../b' }, 'S3_PUBLISH_PREFIX: must be made of'],
    [{ MAILBOX: 'IN\u0007BOX' }, 'MAILBOX: holds a control character'],
    [{ MAILBOX: 'Caixa de entrada\uFFFD' }, 'MAILBOX: is not UTF-8 text'],
    [{ IMAP_CA_FILE: '/none.pem' }, 'IMAP_CA_FILE: names a file that cannot be read: no such file'],
    [{ SMTP_CA_FILE: 'node.conf' }, 'SMTP_CA_FILE: names a file without a PEM certificate'],
  ])('is refused for %j', async (changes, expected) => {
    const lines = await refusal(configText(changes));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
  });

  test('says what is wrong in the servers file, by place', async () => {
    const servers = '{"sip_servers":[{"id":"a","host":"h"},{"id":"A","host":"h"}]}';
    expect(
      await refusal(configText({ SERVERS_FILE: 'servers.json' }), { files: { '/c/servers.json': servers } }),
    ).toEqual(['/c/servers.json: sip_servers[1].id: is the id of sip_servers[0] too']);
  });

  test('counts problems past a hundred', async () => {
    const lines = await refusal(`${configText()}${'nonsense\n'.repeat(150)}`);
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('… and 50 more');
  });

  test('is refused where its file cannot be read', async () => {
    await expect(loadConfig({ file: '/does/not/exist.conf', env: {} })).rejects.toMatchObject({
      code: 'config.invalid',
      message: '/does/not/exist.conf: cannot be read: no such file',
    });
  });
});

describe('a configuration file that holds a password', () => {
  test.each([
    ['its owner alone', { mode: 0o600 }, null],
    ['its owner alone, to read', { mode: 0o400 }, null],
    ['everybody', { mode: 0o644 }, 'others have access to it'],
    ['a group of other people', { mode: 0o640 }, 'its group has access to it'],
    ['the daemon’s group while root owns it', { mode: 0o640, uid: 0, gid: 1000 }, null],
    ['another group while root owns it', { mode: 0o640, uid: 0, gid: 4 }, 'its group has access to it'],
    ['the daemon’s group, to write', { mode: 0o660, uid: 0, gid: 1000 }, 'its group has access to it'],
  ])('is open to %s: %j', async (_, own, fault) => {
    if (fault === null) await loadFrom(configText(), { own });
    else {
      expect(await refusal(configText(), { own })).toEqual([
        `/c/node.conf: holds EMAIL_PASSWORD, and ${fault}; run: chmod 600 /c/node.conf`,
      ]);
    }
  });

  test('may be open to all once the password comes from the environment', async () => {
    const text = configText({ EMAIL_PASSWORD: null });
    const { config } = await loadFrom(text, { own: { mode: 0o644 }, env: { EMAIL_PASSWORD: 'pass # word' } });
    expect(config.mail.auth.password).toBe('pass # word');
  });

  test('is judged by its real mode on disk', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'node conf');
    await writeFile(file, configText(), { mode: 0o600 });
    await expect(loadConfig({ file, env: {} })).resolves.toMatchObject({ warnings: [] });
    await chmod(file, 0o604);
    await expect(loadConfig({ file, env: {} })).rejects.toThrow(`run: chmod 600 '${file}'`);
  });
});
