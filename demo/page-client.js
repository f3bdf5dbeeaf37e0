/** The page's own script: lists mails as they come, shows the chosen one, sends subjects. Runs in the browser. */
const POLL_MS = 700;
const byId = (id) => document.querySelector(`#${id}`);

const mails = [];
let chosen = null;
let view = 'html';
/** Until a person chooses, the newest mail is shown. */
let follow = true;

/** An element with text in it: what mails say never becomes markup of this page. */
function element(name, text, className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

const time = (date) => new Date(date).toLocaleTimeString('pt-BR');

function listed(mail) {
  const item = document.createElement('button');
  const who = element('div', '', 'who');
  who.append(element('span', mail.sender), element('span', time(mail.date)));
  item.append(
    who,
    element('div', mail.subject || '(sem assunto)', 'subject'),
    element('div', mail.opening, 'opening'),
  );
  item.addEventListener('click', () => {
    follow = false;
    choose(mail);
  });
  return item;
}

function choose(mail) {
  chosen = mail;
  view = mail.html === null ? 'text' : 'html';
  for (const [index, item] of [...byId('list').children].entries()) {
    item.setAttribute('aria-current', String(mails[index] === mail));
  }
  show();
}

function show() {
  byId('head').hidden = false;
  byId('title').textContent = chosen.subject || '(sem assunto)';
  byId('raw').href = `/mails/${chosen.number}/raw`;
  const fields = {
    De: chosen.from,
    Para: chosen.to,
    Cópia: chosen.cc,
    Data: new Date(chosen.date).toLocaleString('pt-BR'),
  };
  const rows = Object.entries(fields).filter(([, value]) => value !== '');
  byId('fields').replaceChildren(
    ...rows.flatMap(([name, value]) => [element('dt', name), element('dd', value)]),
  );
  for (const tab of byId('tabs').querySelectorAll('button')) {
    tab.setAttribute('aria-selected', String(tab.dataset.view === view));
    tab.hidden = tab.dataset.view === 'html' && chosen.html === null;
  }
  const asHtml = view === 'html' && chosen.html !== null;
  byId('html').hidden = !asHtml;
  byId('plain').hidden = asHtml;
  // A mail program opens links in the browser, not in the mail.
  if (asHtml) byId('html').srcdoc = `<base target="_blank">${chosen.html}`;
  else byId('plain').textContent = view === 'headers' ? chosen.headers : chosen.text;
}

async function fetchNew() {
  try {
    const response = await fetch(`/mails?after=${mails.at(-1)?.number ?? 0}`);
    const fresh = await response.json();
    const nodes = await (await fetch('/nodes')).json();
    byId('nodes').textContent = nodes.map(told).join(' · ');
    byId('ended').hidden = true;
    for (const mail of fresh) {
      mails.push(mail);
      byId('list').append(listed(mail));
    }
    if (follow && fresh.length > 0) choose(mails.at(-1));
    document.title = `(${mails.length}) Parelha: correio da demonstração`;
  } catch {
    ended();
  }
}

/** As `node-ctl status` calls them. */
const told = ({ id, role, term }) => `${id}: ${role}, term ${term}`;

function ended() {
  document.title = 'A demonstração terminou';
  byId('ended').hidden = false;
}

for (const tab of byId('tabs').querySelectorAll('button')) {
  tab.addEventListener('click', () => {
    view = tab.dataset.view;
    show();
  });
}

byId('send').addEventListener('submit', (event) => {
  event.preventDefault();
  follow = true;
  fetch('/send', { method: 'POST', body: new URLSearchParams({ subject: byId('subject').value }) }).catch(
    ended,
  );
});

const { subject } = await (await fetch('/example')).json();
byId('subject').value = subject;
for (;;) {
  await fetchNew();
  await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
