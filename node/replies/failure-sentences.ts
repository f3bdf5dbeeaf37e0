export interface FailureSentence {
  readonly happened: string;
  readonly advice: string;
}

/** What happened, in plain words, and what the requester may do. Goes by the error's code. */
export function failureSentence(code: string): FailureSentence {
  const wait = 'Quando o problema for resolvido, basta enviar o pedido de novo.';
  if (/timeout/i.test(code)) {
    return {
      happened: 'O trabalho passou do tempo máximo e foi interrompido.',
      advice: 'Tente um período menor ou menos ramais por e-mail.',
    };
  }
  if (/cancel/i.test(code)) {
    return {
      happened: 'O pedido foi cancelado por um operador.',
      advice: 'Se ainda precisar, envie de novo.',
    };
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return { happened: 'Faltou espaço em disco para preparar o resultado.', advice: wait };
  }
  if (code === 'recordings.too-many') {
    return {
      happened: 'O período pedido tem gravações demais para um só resultado.',
      advice: 'Tente um período menor ou menos ramais por e-mail.',
    };
  }
  if (code === 'peer.away') {
    return { happened: 'O servidor onde estas gravações ficam não está respondendo.', advice: wait };
  }
  if (code === 'job.refused' || code === 'job.conflict') {
    return {
      happened: 'O servidor onde estas gravações ficam não aceitou o pedido.',
      advice:
        'Enviar de novo não resolve: o administrador precisa conferir a configuração dos dois servidores.',
    };
  }
  if (code === 'recordings.refused' || code === 'publish.refused') {
    return {
      happened:
        code === 'recordings.refused'
          ? 'O lugar onde as gravações ficam recusou o acesso do sistema.'
          : 'O local de entrega recusou as gravações.',
      advice: 'Enviar de novo agora não resolve: o administrador precisa conferir os acessos do sistema.',
    };
  }
  if (code.startsWith('recordings.')) {
    return { happened: 'O lugar onde as gravações ficam não respondeu.', advice: wait };
  }
  if (code.startsWith('publish.')) {
    return { happened: 'As gravações não puderam ser colocadas no local de entrega.', advice: wait };
  }
  if (code.startsWith('mail.')) {
    return { happened: 'O e-mail com o resultado não pôde ser enviado.', advice: wait };
  }
  return { happened: 'Aconteceu um erro inesperado ao processar o pedido.', advice: wait };
}
