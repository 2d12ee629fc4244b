// Shows /api/v1/status, again and again. Labels and errors come from outside: they go in as text, never as markup.
const REFRESH_MS = 2000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB'];
const $ = id => document.getElementById(id);
let token = '';

/** An element with text, or with children. */
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function bytes(count) {
  let unit = 0;
  let value = count;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

function ago(ms) {
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1000));
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}

function pipeline({ id, receivers, processors, exporters }, health) {
  const row = el('div', 'pipeline', el('strong', '', id));
  const stage = ids => {
    for (const one of ids) row.append(el('span', `node ${health.get(one) ?? 'ok'}`, one));
  };
  stage(receivers);
  for (const part of [processors, exporters]) {
    if (part.length === 0) continue;
    row.append('→');
    stage(part);
  }
  return row;
}

function queue(state) {
  if (!state) return el('td');
  const used = state.sizer === 'bytes' ? state.bytes : state.batches;
  const meter = el('meter');
  meter.max = state.capacity;
  meter.value = used;
  const text = ` ${state.batches} batches, ${bytes(state.bytes)}${state.oldestMs ? `, oldest ${ago(state.oldestMs)}` : ''}`;
  return el('td', '', meter, text, ...(state.paused ? [el('div', 'bad', `store is down: ${state.paused.error}`)] : []));
}

function component({ id, kind, health, why, counts, lastError, queue: state }) {
  const count = name => el('td', 'number', String(counts[name]));
  return el(
    'tr',
    '',
    el('td', '', `${kind} ${id}`),
    el('td', `health ${health}`, why ? `${health}: ${why}` : health),
    count('accepted'),
    count('refused'),
    count('retryable'),
    count('permanent'),
    count('dropped'),
    queue(state),
    el('td', '', lastError ? `${ago(lastError.atMs)}: ${lastError.message}` : ''),
  );
}

const list = (items, none) => (items.length > 0 ? items.map(text => el('li', '', text)) : [el('li', '', none)]);

function show(status) {
  const worst =
    status.components.find(c => c.health === 'fatal') ?? status.components.find(c => c.health === 'degraded');
  const reload = status.config.lastReload;
  $('summary').textContent =
    `${status.version}, ${status.state}, started ${ago(status.startedMs)}` +
    `${worst ? `, ${worst.id} is ${worst.health}` : ''}${reload && !reload.ok ? `, last reload failed: ${reload.error}` : ''}`;
  const health = new Map(status.components.map(c => [c.id, c.health]));
  $('pipelines').replaceChildren(...status.pipelines.map(p => pipeline(p, health)));
  $('components').tBodies[0].replaceChildren(...status.components.map(component));
  $('drops').replaceChildren(
    ...list(
      status.drops.map(d => `${d.id}: ${d.items} ${d.reason}`),
      'none',
    ),
  );
  $('listeners').replaceChildren(
    ...list(
      status.listeners.map(l => `${l.address} ${l.protocols.join(', ')}`),
      'none',
    ),
  );
  const { rssBytes, heldBytes, freeBytes, budgetBytes } = status.memory;
  $('memory').replaceChildren(
    ...list(
      [
        `process ${bytes(rssBytes)}`,
        `payloads ${bytes(heldBytes)} of ${bytes(budgetBytes)}, ${bytes(freeBytes)} pooled`,
      ],
      '',
    ),
  );
}

async function refresh() {
  try {
    const answer = await fetch('api/v1/status', { headers: token ? { authorization: `Bearer ${token}` } : {} });
    $('login').hidden = answer.status !== 401;
    if (answer.ok) show(await answer.json());
    else $('summary').textContent = answer.status === 401 ? 'a token is needed' : `status ${answer.status}`;
  } catch {
    $('summary').textContent = 'the gateway does not answer';
  }
  setTimeout(refresh, REFRESH_MS);
}

$('login').addEventListener('submit', event => {
  event.preventDefault();
  token = $('token').value;
});
refresh();
