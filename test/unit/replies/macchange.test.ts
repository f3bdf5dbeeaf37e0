import { expect, test } from 'vitest';
import { macChangeMail } from '../../../node/replies/macchange.ts';
import { shownMac } from '../../../node/replies/macs.ts';
import type { MacFileReport, MacReport } from '../../../node/servers/mac-phones.ts';
import { CHANGED, MAC_TROUBLE, macView } from './server-samples.ts';

const told = (report: MacReport, more: Parameters<typeof macView>[1] = {}): string =>
  macChangeMail(macView(report, more)).text.replaceAll(/\s+/g, ' ');
const file = (before: string | null): MacFileReport => ({ path: '/x', before, after: before, backup: null });
const refused = (code: string, ...macs: readonly (string | null)[]): MacReport => ({
  ...CHANGED,
  ...{ state: 'refused', files: macs.map(file), backup: null },
  refusal: { code, message: 'what happened' },
});

test('before and after are told file by file, with the way back', () => {
  const said = told(CHANGED);
  expect(said).toContain('/opt/gv2p/endpoints_sip.def Antes: 010203040506 Depois: 010203040599');
  const name = CHANGED.backup?.split('/').at(-1) ?? '?';
  expect(said).toContain(`node-ctl mac restore ${name} --server gv2p`);
});

test('a file that was left as it was has no after', () => {
  const said = told({ ...CHANGED, files: [file('010203040599')] });
  expect(said).toContain('/x Tem: 010203040599');
  expect(said).not.toContain('Depois:');
});

test('each refusal that the files can give says why, and that nothing was touched', () => {
  const codes = [
    'extension-missing',
    'mac-differs',
    'record-ambiguous',
    'field-missing',
    'provisioning-exists',
  ];
  for (const code of [
    ...codes,
    'file-missing',
    'file-unreadable',
    'file-kind',
    'file-too-large',
    'owner-lost',
  ]) {
    const said = told(refused(code, null));
    expect(said).toMatch(/^Nada foi alterado /);
    expect(said).toContain('todos os arquivos estão como estavam');
    expect(said).toContain(`Motivo técnico: ${code}: what happened`);
    expect(said).not.toContain('não permitem fazer esta troca');
  }
  expect(told(refused('something-new'))).toContain('não permitem fazer esta troca com segurança');
});

test('a file without the record is not said to have it without a MAC', () => {
  expect(told(refused('extension-missing', null))).toContain('Tem: nenhum MAC encontrado');
  expect(told(refused('mac-differs', null))).toContain('Tem: sem MAC');
});

test('a corrected request is offered where all files agree on what the extension has, and only there', () => {
  const corrected = (report: MacReport, more: Parameters<typeof macView>[1] = {}): string | undefined =>
    /MACCHANGE=3010 MACATUAL=\S* MACFUTURO=\S* SERVER=gv2p(?= Confira)/.exec(told(report, more))?.[0];
  expect(corrected(refused('mac-differs', '01-02-03-04-05-AA', '0102.0304.05aa'))).toBe(
    'MACCHANGE=3010 MACATUAL=0102030405aa MACFUTURO=010203040599 SERVER=gv2p',
  );
  expect(corrected(refused('mac-differs', null, null))).toBe(
    'MACCHANGE=3010 MACATUAL= MACFUTURO=010203040599 SERVER=gv2p',
  );
  expect(corrected(refused('mac-differs', '0102030405aa', null))).toBeUndefined();
  expect(corrected(refused('mac-differs', 'see below', 'see below'))).toBeUndefined();
  expect(corrected(refused('extension-missing', '0102030405aa'))).toBeUndefined();
  expect(corrected(refused('mac-differs'))).toBeUndefined();
  const removal = { request: { extension: '3010', from: '010203040506', to: null } };
  expect(corrected(refused('mac-differs', '0102030405aa'), removal)).toBe(
    'MACCHANGE=3010 MACATUAL=0102030405aa MACFUTURO= SERVER=gv2p',
  );
  // Without a MAC it is what was asked for.
  expect(corrected(refused('mac-differs', null), removal)).toBeUndefined();
});

test('the same MAC at another extension is a warning that names it once', () => {
  const said = told({ ...CHANGED, ...MAC_TROUBLE, refusal: null });
  expect(said.match(/Ramal 3044/g)).toHaveLength(1);
  expect(said).toContain('/opt/gv2p/__ENDPOINTS__.DEF e /opt/gv2p/endpoints_sip.def');
  expect(said).toContain('o aviso ao sistema de telefonia falhou');
});

test('an unknown maker is a warning for the new MAC alone', () => {
  expect(told(CHANGED, { makers: { from: null, to: 'Yealink' } })).not.toContain('Fabricante desconhecido');
  expect(told(CHANGED, { makers: { from: 'Yealink', to: null } })).toContain('Fabricante desconhecido');
});

test('a MAC is shown as on the label of a phone, and what is none as it stands', () => {
  expect(shownMac('0102030405aa')).toBe('01:02:03:04:05:AA');
  expect(shownMac('see below')).toBe('see below');
  expect(shownMac(null)).toBe('nenhum');
});

test('a removal does not ask for a provisioning file to be made', () => {
  const report: MacReport = {
    ...refused('extension-missing'),
    ...{ state: 'changed', refusal: null },
    warnings: [{ code: 'provisioning-missing', message: '/srv/tftp/cfg020000000011.xml is not there' }],
  };
  const text = (to: string | null): string => {
    const request = { extension: '3010', from: '020000000011', to };
    return macChangeMail(macView(report, { request })).text.replaceAll(/\s+/g, ' ');
  };
  expect(text('0102030405aa')).toContain('precisa criá-lo');
  expect(text(null)).toContain('não havia o que retirar');
  expect(text(null)).not.toContain('criá-lo');
});
