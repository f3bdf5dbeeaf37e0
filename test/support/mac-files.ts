import type { MacFile } from '../../node/servers/mac-declaration.ts';

const lower = { separator: '', case: 'lower' } as const;

/** The definition files of the first user's servers, and provisioning files, below a directory. */
export function macFilesIn(directory: string): MacFile[] {
  return [
    {
      kind: 'line',
      path: `${directory}/__ENDPOINTS__.DEF`,
      record: `'{ramal}':`,
      field: `'serialnumber': '{mac}'`,
      empty: '',
      notation: lower,
    },
    {
      kind: 'section',
      path: `${directory}/endpoints_sip.def`,
      record: '[{ramal}]',
      field: 'MAC:{mac}',
      empty: 'None',
      notation: { separator: ':', case: 'upper' },
    },
    { kind: 'rename', path: `${directory}/tftp/cfg{mac}.xml`, notation: lower },
  ];
}

/** Their contents: `3010` has a phone, `3011` another, `3012` none. */
export const MAC_CONTENTS = {
  // In latin1, as an old editor left it, and without a line end at its end.
  '__ENDPOINTS__.DEF': Buffer.from(
    `# ramais\r\n'3010': {'nome': 'Jos\u00e9', 'serialnumber': '010203040506'},\r\n` +
      `'3011': {'serialnumber': '020000000011'},\r\n#'3010': {'serialnumber': '020000000099'},\r\n` +
      `'13010': {'serialnumber': '020000000013'},\r\n'3012': {'serialnumber': ''}`,
    'latin1',
  ),
  'endpoints_sip.def': Buffer.from(
    `[general]\nMAC:None\n\n[3010]\ntype=friend\n  MAC:01:02:03:04:05:06\n[3011](base)\nMAC:02:00:00:00:00:11\n` +
      `[3012]\nMAC:None\n`,
  ),
  'tftp/cfg010203040506.xml': Buffer.from('<phone>3010</phone>\n'),
} as const;
