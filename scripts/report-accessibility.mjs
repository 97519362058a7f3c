// What report-browser asks of a page for people who do not see it, do not use a
// mouse, or read it on paper.
import { readFileSync, writeFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// axe judges the page in every width, colour scheme and language, charts closed and
// everything else open: whole once unless it is long, else of each table the first
// rows, because those after them are of the same kinds and would take minutes.
export async function axe(open, expect, bilingual) {
  if (!process.env.DLBENCH_AXE) {
    console.log('report-browser: skipped: accessibility by axe, because there is no npm to get it with');
    return;
  }
  const source = readFileSync(process.env.DLBENCH_AXE, 'utf8');
  for (const width of [1400, 390]) {
    for (const dark of [false, true]) {
      const t = await open({ width, dark });
      await t.evaluate(source + ';0');
      await t.evaluate('document.querySelectorAll("details:not([data-chart]):not(#raw)").forEach(function(d){d.open=true})');
      for (const zh of bilingual ? [false, true] : [false]) {
        const long = (await t.evaluate('document.querySelectorAll("main *").length')) > 20000;
        if (long || width < 1400 || dark || zh) await t.evaluate('document.querySelectorAll("tbody").forEach(function(b){[].slice.call(b.rows, 3).forEach(function(r){r.remove()})})');
        if (zh) await t.click('label[for=lang-zh]');
        const found = await t.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(function (r) {
          return r.violations.map(function (v) {
            return v.id + ' (' + v.impact + ', ' + v.nodes.length + ' times): ' + v.help + ': ' + v.nodes.slice(0, 4).map(function (n) { return n.html.slice(0, 140) + ' [' + n.any.concat(n.all, n.none).map(function (c) { return c.message }).join('; ').slice(0, 140) + ']' }).join(' | ');
          });
        }).catch(function (e) { return ['axe: ' + e] })`);
        expect(Array.isArray(found), `${width} ${dark ? 'dark' : 'light'} ${zh ? 'zh' : 'en'}: axe gave no answer`);
        for (const v of found || []) expect(false, `${width} ${dark ? 'dark' : 'light'} ${zh ? 'zh' : 'en'}: axe: ${v}`);
      }
      await t.close();
    }
  }
}

// keyboard presses Tab through the page: each link, region, summary, button and the
// language switch is reached in the order of the document, and it shows where the
// focus is. Long pages are followed for a while.
export async function keyboard(open, expect, bilingual) {
  const most = 150;
  const t = await open();
  const key = async (code, name, virtual) => {
    for (const type of ['keyDown', 'keyUp']) await t.tab('Input.dispatchKeyEvent', { type, code, key: name, windowsVirtualKeyCode: virtual });
  };
  const stops = await t.evaluate(`(window.stops = [...document.querySelectorAll('a[href],button,summary,input,[tabindex="0"]')].filter(function (e) {
    return e.checkVisibility({ visibilityProperty: true }) && !(e.type === 'radio' && !e.checked);
  })).length`);
  const reached = [];
  for (let i = 0; i < Math.min(stops, most); i++) {
    await key('Tab', 'Tab', 9);
    reached.push(await t.evaluate(`(function () {
      var e = document.activeElement, l = e.type === 'radio' ? document.querySelector('label[for=' + e.id + ']') : e, s = getComputedStyle(l);
      return { at: window.stops.indexOf(e), what: e.tagName + ' ' + (e.id || e.textContent.slice(0, 30)), seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1 };
    })()`));
  }
  reached.forEach((r, i) => {
    expect(r.at === i, `keyboard: stop ${i + 1} of ${stops} is ${r.what} (number ${r.at + 1} of the page)`);
    expect(r.seen, `keyboard: it does not show that ${r.what} has the focus`);
  });
  if (bilingual) {
    await t.evaluate('document.getElementById("lang-en").focus()');
    await key('ArrowRight', 'ArrowRight', 39);
    await sleep(100);
    expect((await t.evaluate('document.documentElement.lang')) === 'zh-Hans', 'keyboard: the arrow does not switch the language');
  }
  await t.close();
}

// paper prints the page: A4 landscape less 12 mm on each side is 1032 px wide.
export async function paper(open, expect, file, picture) {
  const t = await open({ width: 1032, media: 'print', dark: true });
  const white = await t.evaluate('getComputedStyle(document.body).backgroundColor');
  expect(white === 'rgb(255, 255, 255)' || white === 'rgba(0, 0, 0, 0)', `print: the page is not on white but on ${white}`);
  expect((await t.evaluate('document.documentElement.scrollWidth')) <= 1032, 'print: the page is wider than the paper');
  const words = await t.evaluate('[...document.querySelectorAll("caption")].filter(function(c){return c.checkVisibility()}).map(function(c){return c.innerText.trim().split(/\\s+/)[0]}).filter(function(w){return /^[A-Za-z]{3,}$/.test(w)}).slice(0, 20)');
  await t.pictureWhole(picture);
  await t.close();
  const print = await open();
  const { data } = await print.tab('Page.printToPDF', { landscape: true, paperWidth: 8.27, paperHeight: 11.69, preferCSSPageSize: true, printBackground: true });
  await print.close();
  const pdf = Buffer.from(data, 'base64');
  writeFileSync(file, pdf);
  const pages = (pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g) || []).length;
  expect(pages > 0, 'print: the PDF has no page');
  const text = textOf(pdf);
  const lost = words.filter((w) => !text.includes(w));
  expect(lost.length === 0, `print: the PDF lacks the text of tables: ${JSON.stringify(lost)}`);
  console.log(`report-browser: PDF of ${pages} pages with the captions of ${words.length} tables`);
}

// textOf is the text of a PDF as Chromium writes it: the glyphs of each string, read by
// the table of the font that was chosen last (Tf), in the order in which they are drawn.
function textOf(pdf) {
  const raw = pdf.toString('latin1'), objects = new Map(), fonts = new Map();
  for (const m of raw.matchAll(/(?:^|[\r\n])(\d+) 0 obj\b/g)) {
    const from = m.index + m[0].length, end = raw.indexOf('endobj', from), stream = raw.indexOf('stream', from);
    const streamed = stream >= 0 && stream < end;
    const o = { head: raw.slice(from, streamed ? stream : end), stream: '' };
    if (streamed) {
      const begin = stream + (raw[stream + 6] === '\r' ? 8 : 7);
      try {
        o.stream = inflateSync(pdf.subarray(begin, raw.indexOf('endstream', begin))).toString('latin1');
      } catch { /* an image, or not compressed */ }
    }
    objects.set(m[1], o);
  }
  // The fonts by the names that the resources of pages give them.
  for (const { head } of objects.values())
    for (const [, name, number] of head.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
      const table = /\/ToUnicode (\d+) 0 R/.exec(objects.get(number)?.head ?? '');
      if (table) fonts.set(name, glyphsOf(objects.get(table[1])?.stream ?? ''));
    }
  let text = '';
  for (const { stream } of objects.values()) {
    if (stream.includes('begincmap')) continue;
    let font;
    for (const [, name, string, list] of stream.matchAll(/\/(F\d+) [\d.+-]+ Tf|(<[0-9A-Fa-f]*>)\s*Tj|\[([^\]]*)\]\s*TJ/g)) {
      if (name) font = fonts.get(name);
      else if (font) for (const [, hex] of (string ?? list).matchAll(/<([0-9A-Fa-f]*)>/g)) text += font(hex);
    }
    text += '\n';
  }
  return text;
}

// glyphsOf makes a reader of strings from the table of a font: codes of as many digits
// as its code space has.
function glyphsOf(cmap) {
  const glyphs = new Map(), unit = (h) => parseInt(h, 16);
  const width = /begincodespacerange\s*<([0-9A-Fa-f]+)>/.exec(cmap)?.[1].length ?? 4;
  for (const [, block] of cmap.matchAll(/beginbfchar([^]*?)endbfchar/g))
    for (const [, g, u] of block.matchAll(/<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]{4})/g)) glyphs.set(unit(g), unit(u));
  for (const [, block] of cmap.matchAll(/beginbfrange([^]*?)endbfrange/g))
    for (const [, lo, hi, u] of block.matchAll(/<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]{4})>/g))
      for (let g = unit(lo); g <= unit(hi); g++) glyphs.set(g, unit(u) + g - unit(lo));
  return (hex) => {
    let s = '';
    for (let i = 0; i + width <= hex.length; i += width) s += String.fromCharCode(glyphs.get(unit(hex.slice(i, i + width))) ?? 0xfffd);
    return s;
  };
}
