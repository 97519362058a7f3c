// Opens a page of dlbench from disk in headless Chromium and holds it to what it
// promises: no console message, no request, readable without scripts, a
// language switch by click, charts that draw, no sideways scroll; what
// report-accessibility.mjs asks of it. Writes pictures. Speaks the DevTools
// protocol over a pipe; needs no package.
//
// usage: report-browser REPORT.html OUTDIR   (see scripts/report-browser)
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { axe, keyboard, paper } from './report-accessibility.mjs';

const [report, out] = process.argv.slice(2);
const page = pathToFileURL(resolve(report)).href;
// --first-content in place of OUTDIR prints when the page first shows something, in ms.
const firstOnly = out === '--first-content';
if (!firstOnly) mkdirSync(out, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), 'report-browser-'));
const chrome = spawn(process.env.CHROMIUM || 'chromium', [
  '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run', '--lang=en-US',
  '--disable-background-networking', '--disable-component-update', '--force-color-profile=srgb',
  `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank',
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });

const problems = [];
const waiting = new Map(), listeners = [];
let nextID = 0, rest = '';
chrome.stdio[4].on('data', (chunk) => {
  rest += chunk;
  for (let end; (end = rest.indexOf('\0')) >= 0; rest = rest.slice(end + 1)) {
    const m = JSON.parse(rest.slice(0, end));
    if (m.id) {
      const w = waiting.get(m.id);
      waiting.delete(m.id);
      m.error ? w.reject(new Error(`${w.method}: ${m.error.message}`)) : w.resolve(m.result);
    } else listeners.forEach((f) => f(m));
  }
});
const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
  waiting.set(++nextID, { resolve, reject, method });
  chrome.stdio[3].write(JSON.stringify({ id: nextID, method, params, sessionId }) + '\0');
});
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// open loads the page in a fresh tab; scripts false switches them off.
async function open({ width = 1400, dark = false, scripts = true, hash = '', media = '' } = {}) {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
  const tab = (method, params) => send(method, params, sessionId);
  let loaded = false;
  listeners.push((m) => {
    if (m.sessionId !== sessionId) return;
    const p = m.params;
    if (m.method === 'Page.loadEventFired') loaded = true;
    if (m.method === 'Runtime.consoleAPICalled') problems.push(`console.${p.type}: ${JSON.stringify(p.args)}`);
    if (m.method === 'Runtime.exceptionThrown') problems.push(`exception: ${p.exceptionDetails.exception?.description ?? p.exceptionDetails.text}`);
    if (m.method === 'Log.entryAdded') problems.push(`${p.entry.source} ${p.entry.level}: ${p.entry.text}`);
    if (m.method === 'Network.requestWillBeSent' && p.request.url.split('#')[0] !== page && !p.request.url.startsWith('data:')) problems.push(`request: ${p.request.url}`);
    if (m.method === 'Page.javascriptDialogOpening') { problems.push(`dialog: ${p.message}`); tab('Page.handleJavaScriptDialog', { accept: true }); }
  });
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await tab(`${domain}.enable`);
  await tab('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
  await tab('Emulation.setEmulatedMedia', { media, features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }, { name: 'prefers-reduced-motion', value: 'reduce' }] });
  await tab('Emulation.setScriptExecutionDisabled', { value: !scripts });
  await tab('Page.navigate', { url: page + hash });
  for (let i = 0; i < 600 && !loaded; i++) await sleep(50);
  if (!loaded) problems.push('the page did not load within 30 s');
  await sleep(150);
  const evaluate = async (expression) => (await tab('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })).result.value;
  const click = async (selector) => {
    const box = await tab('DOM.getDocument').then(({ root }) => tab('DOM.querySelector', { nodeId: root.nodeId, selector }))
      .then(({ nodeId }) => tab('DOM.getBoxModel', { nodeId }));
    const q = box.model.border, at = { x: (q[0] + q[2]) / 2, y: (q[1] + q[5]) / 2, button: 'left', clickCount: 1 };
    await tab('Input.dispatchMouseEvent', { type: 'mousePressed', ...at });
    await tab('Input.dispatchMouseEvent', { type: 'mouseReleased', ...at });
    await sleep(150);
  };
  const picture = async (name) => {
    const { data } = await tab('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
    writeFileSync(join(out, name), Buffer.from(data, 'base64'));
  };
  const pictureWhole = async (name) => {
    const { cssContentSize: s } = await tab('Page.getLayoutMetrics');
    const { data } = await tab('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip: { x: 0, y: 0, width: s.width, height: Math.min(s.height, 16000), scale: 1 } });
    writeFileSync(join(out, name), Buffer.from(data, 'base64'));
  };
  // Text as it shows, asked of the protocol, so that it works with scripts off.
  const text = async () => {
    const { root } = await tab('DOM.getDocument', { depth: 0 });
    const { nodeId } = await tab('DOM.querySelector', { nodeId: root.nodeId, selector: 'body' });
    const { object } = await tab('DOM.resolveNode', { nodeId });
    const { result } = await tab('Runtime.callFunctionOn', { objectId: object.objectId, functionDeclaration: 'function(){return this.innerText}', returnByValue: true });
    return result.value ?? '';
  };
  return { tab, evaluate, click, picture, pictureWhole, text, close: () => send('Target.closeTarget', { targetId }) };
}

// The elements that reach beyond the window and do not scroll by themselves.
const widest = (width) => `[...document.querySelectorAll('body *')].filter(function(e){
  return e.getBoundingClientRect().right > ${width} + 1 && !e.closest('.scroll,nav,.skip,.defs') && getComputedStyle(e).display !== 'none'
}).slice(0, 5).map(function(e){return e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + e.textContent.slice(0, 30)}).join(' | ')`;
const expect = (ok, what) => { if (!ok) problems.push(what); };

// aside holds the page to what does not depend on its width.
async function aside(bilingual) {
  const off = await open({ scripts: false });
  await off.pictureWhole('1400-light-noscript.png');
  if (bilingual) {
    await off.click('label[for=lang-zh]');
    await off.picture('1400-light-noscript-zh.png');
  }
  await off.close();
  const raw = await open({ hash: '#c1' });
  expect(await raw.evaluate('!document.getElementById("c1")||document.getElementById("raw").open'), 'a link to a trial does not open the table of trials');
  expect(await raw.evaluate('[...document.querySelectorAll("a[href^=\\"#\\"]")].every(function(a){return document.getElementById(a.hash.slice(1))})'), 'a link on the page leads nowhere');
  await raw.close();
  await axe(open, expect, bilingual);
  await keyboard(open, expect, bilingual);
  await paper(open, expect, join(out, 'print-a4.pdf'), 'print.png');
}

try {
  const first = await open();
  const bilingual = await first.evaluate('!!document.getElementById("lang-zh")');
  // A report has its charts; other pages may.
  const least = (await first.evaluate('!!document.getElementById("throughput")')) ? 4 : 0;
  let painted;
  for (let i = 0; i < 100 && painted === undefined; i++) {
    painted = await first.evaluate('(performance.getEntriesByName("first-contentful-paint")[0]||{}).startTime');
    if (painted === undefined) await sleep(50);
  }
  console.log(firstOnly ? Math.round(painted ?? 99999) : `report-browser: first content after ${painted === undefined ? 'unknown' : Math.round(painted)} ms`);
  await first.close();
  const looks = firstOnly ? [] : [[1400, false, false], [1400, true, true], [390, true, false], [390, false, true]];
  for (const [width, dark, zh] of looks) {
    if (zh && !bilingual) continue;
    const name = `${width}-${dark ? 'dark' : 'light'}-${zh ? 'zh' : 'en'}`;
    const t = await open({ width, dark });
    const origin = await t.evaluate('performance.timeOrigin');
    if (zh) await t.click('label[for=lang-zh]');
    expect((await t.evaluate('performance.timeOrigin')) === origin, `${name}: the language switch loads the page again`);
    const wide = await t.evaluate('document.documentElement.scrollWidth');
    expect(wide <= width, `${name}: the page is ${wide} px wide: ${await t.evaluate(widest(width))}`);
    expect((await t.evaluate('document.documentElement.lang')) === (zh ? 'zh-Hans' : 'en'), `${name}: <html lang> did not follow the switch`);
    const shown = await t.text();
    expect(/[\u4e00-\u9fff]{8}/.test(shown) === zh, `${name}: text is not in the chosen language`);
    await t.pictureWhole(`${name}.png`);
    if (!zh) {
      const charts = await t.evaluate('document.querySelectorAll("details[data-chart]").length');
      expect(charts >= least, `${name}: ${charts} charts, expected at least ${least}`);
      if (charts) {
        await t.evaluate('document.querySelectorAll("details[data-chart]").forEach(function(d){d.open=true})');
        await sleep(1200);
        const drawn = await t.evaluate('document.querySelectorAll("details[data-chart] canvas").length');
        expect(drawn === charts, `${name}: ${drawn} of ${charts} charts drew`);
        expect((await t.evaluate('document.documentElement.scrollWidth')) <= width, `${name}: the charts widen the page`);
        await t.evaluate('document.querySelector("details[data-chart]").scrollIntoView()');
        await t.tab('Input.dispatchMouseEvent', { type: 'mouseMoved', x: Math.round(width / 2), y: 300 });
        await sleep(200);
        await t.pictureWhole(`${name}-charts.png`);
      }
    }
    await t.close();
  }
  if (!firstOnly) await aside(bilingual);
} catch (e) {
  problems.push(String(e));
} finally {
  await Promise.race([send('Browser.close').catch(() => {}), sleep(2000)]);
  chrome.kill('SIGKILL');
  await sleep(200);
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
for (const p of problems) console.error(`report-browser: ${p}`);
if (!firstOnly) console.log(problems.length ? `report-browser: ${problems.length} problems` : `report-browser: ok, pictures in ${out}`);
process.exit(problems.length ? 1 : 0);
