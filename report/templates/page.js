(function () {
'use strict';
var root = document.documentElement;
var en = document.getElementById('lang-en'), zh = document.getElementById('lang-zh');
var titles = [document.title, root.getAttribute('data-title') || document.title], data, drawn = {};
root.classList.add('js');

function language() { return zh.checked ? 1 : 0; }
function languageChanged() {
  root.lang = zh.checked ? 'zh-Hans' : 'en';
  document.title = titles[language()];
  redraw();
}
en.addEventListener('change', languageChanged);
zh.addEventListener('change', languageChanged);

// Options carry names of colours and words; here they become values.
function css(name) { return getComputedStyle(root).getPropertyValue(name).trim(); }
function resolve(v) {
  if (typeof v === 'string') {
    if (/^--[a-z][a-z0-9]*$/.test(v)) return css(v) || v;
    if (Object.prototype.hasOwnProperty.call(data.words, v)) return data.words[v][language()];
    return v;
  }
  if (Array.isArray(v)) return v.map(resolve);
  if (v && typeof v === 'object') {
    var o = {};
    Object.keys(v).forEach(function (k) { o[k] = resolve(v[k]); });
    return o;
  }
  return v;
}

function styled(axis, middle) {
  axis.axisLine = { lineStyle: { color: css('--rule') } };
  axis.splitLine = { show: axis.type !== 'category', lineStyle: { color: css('--grid') } };
  axis.axisLabel = { color: css('--mut'), fontSize: 11, hideOverlap: true };
  axis.nameTextStyle = { color: css('--mut'), fontSize: 11 };
  if (middle) { axis.nameLocation = 'middle'; axis.nameGap = 22; } else { axis.nameTextStyle.align = 'left'; }
  return axis;
}

// Grids are placed for the width at hand: one, two or three in a row.
function option(c, width) {
  var o = resolve(c.option), n = c.titles.length, muted = css('--mut');
  var columns = width < 640 ? 1 : width < 1000 || n === 2 || n === 4 ? 2 : 3;
  columns = Math.max(1, Math.min(columns, n));
  var legend = 34, head = 44, foot = 44, gap = 28, each = (width - gap * (columns - 1)) / columns;
  o.backgroundColor = 'transparent';
  o.textStyle = { color: muted, fontFamily: getComputedStyle(document.body).fontFamily };
  Object.assign(o.tooltip, { backgroundColor: css('--bg'), borderColor: css('--ink'), textStyle: { color: css('--ink'), fontSize: 12 } });
  Object.assign(o.legend, { type: 'scroll', textStyle: { color: css('--ink') }, itemWidth: 14, itemHeight: 8, pageTextStyle: { color: muted }, pageIconColor: css('--ink'), pageIconInactiveColor: css('--rule') });
  o.grid = []; o.title = [];
  for (var i = 0; i < n; i++) {
    var left = (i % columns) * (each + gap), top = legend + Math.floor(i / columns) * (head + c.row + foot);
    o.grid.push({ left: left, top: top + head, width: each - 8, height: c.row, containLabel: true });
    o.title.push({ text: c.titles[i][language()], left: left, top: top, textStyle: { color: css('--ink'), fontSize: 12, fontWeight: 500, width: each, overflow: 'truncate' } });
  }
  o.xAxis = n ? [].concat(o.xAxis).map(function (a) { return styled(a, true); }) : [];
  o.yAxis = n ? [].concat(o.yAxis).map(function (a) { return styled(a, false); }) : [];
  if (!n) o.series = [];
  return { option: o, height: legend + Math.ceil(n / columns) * (head + c.row + foot) };
}

// What is packed is base64 of gzip. A browser that cannot unpack it says so to who waits.
function unpacked(id) {
  return Promise.resolve().then(function () {
    var packed = Uint8Array.from(atob(document.getElementById(id).textContent), function (c) { return c.charCodeAt(0); });
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).blob();
  });
}

// The data of the charts are unpacked once the first of them is opened.
var loading;
function withData() {
  if (!loading) loading = unpacked('chart-data').then(function (b) { return b.text(); }).then(function (json) { data = JSON.parse(json); });
  return loading;
}

// The library runs once a chart is opened; the policy of the page knows its hash.
var library;
function withLibrary() {
  if (!library) library = unpacked('echarts').then(function (b) { return b.text(); }).then(function (code) {
    var script = document.createElement('script');
    script.textContent = code;
    document.head.appendChild(script);
  });
  return library;
}

function draw(id) {
  var el = document.getElementById(id);
  Promise.all([withLibrary(), withData()]).then(function () {
    var made = option(data.charts[id], el.clientWidth);
    el.style.height = made.height + 'px';
    if (!drawn[id]) drawn[id] = echarts.init(el, null, { renderer: 'canvas' });
    drawn[id].resize();
    drawn[id].setOption(made.option, true);
  }).catch(function () {
    el.textContent = ['This browser cannot draw the chart; the tables show the same figures.', '此浏览器无法绘制该图；表格中有同样的数字。'][language()];
  });
}
function redraw() { Object.keys(drawn).forEach(draw); }
document.querySelectorAll('details[data-chart]').forEach(function (d) {
  d.addEventListener('toggle', function () { if (d.open) draw(d.getAttribute('data-chart')); });
});
var pending;
addEventListener('resize', function () { clearTimeout(pending); pending = setTimeout(redraw, 120); });
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);

// A link to a trial opens what hides it; #zh and #en choose the language.
function reveal() {
  var id = '';
  try { id = decodeURIComponent(location.hash.slice(1)); } catch (e) { return; }
  if (id === 'zh' || id === 'en') { (id === 'zh' ? zh : en).checked = true; languageChanged(); return; }
  var el = id && document.getElementById(id);
  if (!el) return;
  for (var p = el; p; p = p.parentElement) if (p.tagName === 'DETAILS') p.open = true;
  if (el.tagName === 'TR') el.scrollIntoView({ block: 'center' });
}
addEventListener('hashchange', reveal);
reveal();
if (!location.hash && /^zh/i.test(navigator.language)) zh.checked = true;
if (zh.checked) languageChanged();

var links = {};
document.querySelectorAll('nav a').forEach(function (a) { links[a.hash.slice(1)] = a; });
if ('IntersectionObserver' in window) {
  var seen = new IntersectionObserver(function (entries) {
    entries.forEach(function (e) {
      if (!e.isIntersecting) return;
      Object.keys(links).forEach(function (k) { links[k].removeAttribute('aria-current'); });
      links[e.target.id].setAttribute('aria-current', 'true');
    });
  }, { rootMargin: '-20% 0px -70% 0px' });
  document.querySelectorAll('main>section').forEach(function (s) { if (links[s.id]) seen.observe(s); });
}

var save = document.getElementById('save');
if (save) save.addEventListener('click', function () {
  var element = document.getElementById('records');
  var json = element.type === 'application/json';
  (json ? Promise.resolve(new Blob([element.textContent], { type: element.type })) : unpacked('records')).then(function (blob) {
    var a = document.createElement('a');
    a.download = 'dlbench-records.' + (json ? 'json' : 'jsonl');
    a.href = URL.createObjectURL(blob);
    a.click();
    setTimeout(function () { URL.revokeObjectURL(a.href); }, 1000);
  });
});
})();
