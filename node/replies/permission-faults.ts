import { count, plain, type Sentence } from './fault-parts.ts';

const ASK = 'Se você precisa de mais, fale com o administrador.';

/** Faults of what somebody may not ask for. */
export const PERMISSION_FAULTS: Readonly<Record<string, Sentence>> = {
  'command-not-permitted': (values) => ({
    problem: `O seu acesso não permite o comando ${plain(values, 'command')}.`,
    fix:
      plain(values, 'known') === ''
        ? 'O seu acesso não permite nenhum comando por enquanto: fale com o administrador.'
        : `Você pode usar: ${plain(values, 'known')}. ${ASK}`,
  }),
  'extension-not-permitted': (values) => ({
    problem: `O seu acesso não inclui ${Number(values['count']) > 1 ? `${count(values, 'count')} destes ramais` : 'este ramal'}: ${plain(values)}.`,
    fix: `Você pode pedir: ${plain(values, 'known')}. ${ASK}`,
  }),
  'extensions-needed': (values) => ({
    problem: 'O seu acesso é só para alguns ramais, e este pedido não diz quais.',
    fix: `Você pode pedir: ${plain(values, 'known')}. ${ASK}`,
  }),
  'server-not-permitted': (values) => ({
    problem: `O seu acesso não inclui ${Number(values['count']) > 1 ? 'estes servidores' : 'este servidor'}: ${plain(values)}.`,
    fix: `Você pode usar: ${plain(values, 'known')}. ${ASK}`,
  }),
  'server-needed': (values) => ({
    problem: 'O seu acesso é só para alguns servidores, por isso o pedido precisa dizer qual.',
    fix: `Acrescente SERVER= com um destes: ${plain(values, 'known')}.`,
  }),
  'not-allowed': () => ({
    problem: 'Este endereço de e-mail não está na lista de quem pode fazer pedidos.',
    fix: 'Se você precisa de acesso, fale com o administrador.',
  }),
};
